"""A caller's key and the job that it stands for."""

import time
from collections.abc import Callable

from builders import new_job
from conftest import Tenant

from aico.store import jobs
from aico.store.blocking import Database
from aico.store.jobs import IdempotencyKey, NewJob
from aico.store.scope import Scope


def store(database: Database, tenant: Tenant, *new: NewJob) -> list[jobs.Submitted]:
    return database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, new))


def key(name: str, asked: bytes = b"a", ttl: float = 60) -> IdempotencyKey:
    return IdempotencyKey(name, asked * 32, ttl)


def test_a_key_stands_for_one_job_until_it_expires(database: Database, tenant: Tenant) -> None:
    first, second = new_job("keyed", key=key("k", ttl=0.2)), new_job("keyed", key=key("k"))
    assert [stored.id for stored in store(database, tenant, first)] == [first.id]
    assert store(database, tenant, second, new_job("no key"))[0].id != second.id
    (remembered,) = database.run(Scope.tenant(tenant.id), jobs.remembered(tenant.id, "k"))
    assert (remembered.job, remembered.request_hash) == (first.id, b"a" * 32)
    assert database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, second.id)) == []
    time.sleep(0.25)
    assert database.run(Scope.tenant(tenant.id), jobs.remembered(tenant.id, "k")) == []
    assert [stored.id for stored in store(database, tenant, second)] == [second.id]


def test_a_key_belongs_to_its_tenant(database: Database, make_tenant: Callable[[], Tenant]) -> None:
    for tenant in (make_tenant(), make_tenant()):
        job = new_job("same key", key=key("shared"))
        assert [stored.id for stored in store(database, tenant, job)] == [job.id]
