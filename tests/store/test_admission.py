"""Who is let through: places, caps, weights and turns, on a database of its own."""

from collections import Counter
from collections.abc import Callable, Iterator
from uuid import UUID

import psycopg
import pytest
from builders import new_job
from conftest import Postgres

from aico.core.ids import new_id
from aico.core.jobs import CacheMode, JobClass
from aico.store import backlog, claims, jobs, tenants
from aico.store.backlog import Ready
from aico.store.blocking import Database
from aico.store.claims import PutBack
from aico.store.migrate import migrate
from aico.store.scope import Scope

SLOTS = 8  # so: 16 interactive places, 8 for one tenant; 7 in the background


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[psycopg.Connection]:
    """A fresh database, and the owner's connection to it."""
    server, _, _ = postgres.admin_url.rpartition("/")
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        connection.execute("drop database if exists admission with (force)")
        connection.execute("create database admission")
    migrate(f"{server}/admission", "application")
    with psycopg.connect(f"{server}/admission", autocommit=True) as connection:
        yield connection


@pytest.fixture
def own(postgres: Postgres, admin: psycopg.Connection) -> Iterator[Database]:
    server, _, _ = postgres.url.rpartition("/")
    database = Database(f"{server}/admission", max_size=2)
    database.open()
    database.run(Scope.system(), backlog.resize_pools(SLOTS))
    yield database
    database.close()


@pytest.fixture
def new_tenant(own: Database) -> Callable[[], UUID]:
    def make() -> UUID:
        tenant = new_id()
        own.run(Scope.tenant(tenant), tenants.create(tenant, str(tenant)))
        return tenant

    return make


def submit(own: Database, tenant: UUID, count: int, job_class: JobClass = JobClass.INTERACTIVE) -> list[jobs.Submitted]:
    new = [new_job(f"{tenant} {number}", mode=CacheMode.OFF, job_class=job_class) for number in range(count)]
    return own.run(Scope.tenant(tenant), jobs.submit(tenant, new))


def backlog_of(admin: psycopg.Connection, tenant: UUID, count: int, job_class: str) -> None:
    """A long backlog, made in the database."""
    admin.execute(
        "insert into jobs (id, tenant_id, status, stage, class, cache_mode, request, namespace, fingerprint, deadline)"
        " select gen_random_uuid(), %s, 'queued', 'route', %s, 'off', '{}', '', '', now() + interval '1 day'"
        " from generate_series(1, %s)",
        (tenant, job_class, count),
    )
    admin.execute("analyze jobs")


def admit(own: Database) -> list[Ready]:
    return own.run(Scope.system(), backlog.admit())


def end(admin: psycopg.Connection, ready: list[Ready]) -> None:
    admin.execute("update jobs set status = 'cancelled' where id = any (%s)", ([job.id for job in ready],))


def test_what_has_room_starts_at_once_and_the_rest_waits(own: Database, new_tenant: Callable[[], UUID]) -> None:
    alone = new_tenant()
    assert [job.admitted for job in submit(own, alone, 12)] == [True] * 8 + [False] * 4
    assert [job.admitted for job in submit(own, alone, 1)] == [False]  # not before those that wait
    assert [job.admitted for job in submit(own, new_tenant(), 9)] == [True] * 8 + [False]
    assert [job.admitted for job in submit(own, new_tenant(), 1)] == [False]  # no place is left
    assert [job.admitted for job in submit(own, new_tenant(), 8, JobClass.BATCH)] == [True] * 7 + [False]


def test_the_background_leaves_slots_free_for_who_waits(own: Database, new_tenant: Callable[[], UUID]) -> None:
    tenant = new_tenant()
    started = [*submit(own, tenant, 20, JobClass.STANDARD), *submit(own, tenant, 20, JobClass.BATCH)]
    assert sum(job.admitted for job in started) == 7 < SLOTS
    assert admit(own) == []
    assert all(job.admitted for job in submit(own, tenant, 8))


def test_a_long_backlog_delays_nobody_else(
    own: Database, admin: psycopg.Connection, new_tenant: Callable[[], UUID]
) -> None:
    big, small = new_tenant(), [new_tenant() for _ in range(50)]
    backlog_of(admin, big, 20_000, "interactive")
    for tenant in small:
        backlog_of(admin, tenant, 4, "interactive")
    order: list[UUID] = []
    while sum(tenant != big for tenant in order) < 200:
        ready = admit(own)
        assert len(ready) == 16
        order += [job.tenant for job in ready]
        end(admin, ready)
    assert set(small) <= set(order[:51])  # everybody's first job before anybody's second
    assert len(order) <= 51 * 4 + 16  # the long backlog got its own turns and no other


def test_a_weight_is_a_share_of_the_turns(
    own: Database, admin: psycopg.Connection, new_tenant: Callable[[], UUID]
) -> None:
    heavy, light = new_tenant(), new_tenant()
    for tenant in (heavy, light):
        backlog_of(admin, tenant, 500, "batch")
    admin.execute("insert into tenant_shares (tenant_id, class, weight) values (%s, 'batch', 3)", (heavy,))
    turns: Counter[UUID] = Counter()
    for _ in range(40):
        ready = admit(own)
        turns.update(job.tenant for job in ready)
        end(admin, ready)
    assert turns[heavy] + turns[light] == 40 * 7
    assert 2.8 < turns[heavy] / turns[light] < 3.2


def test_neither_background_class_stops_the_other(
    own: Database, admin: psycopg.Connection, new_tenant: Callable[[], UUID]
) -> None:
    tenant = new_tenant()
    for job_class in ("standard", "batch"):
        backlog_of(admin, tenant, 500, job_class)
    turns: Counter[JobClass] = Counter()
    for _ in range(20):
        ready = admit(own)
        turns.update(job.job_class for job in ready)
        end(admin, ready)
    assert 3.5 < turns[JobClass.STANDARD] / turns[JobClass.BATCH] < 4.5


def test_who_was_idle_has_saved_nothing_up(
    own: Database, admin: psycopg.Connection, new_tenant: Callable[[], UUID]
) -> None:
    busy, idle = new_tenant(), new_tenant()
    backlog_of(admin, busy, 500, "batch")
    for _ in range(20):
        ready = admit(own)
        end(admin, ready)
    backlog_of(admin, idle, 500, "batch")
    turns = Counter(job.tenant for job in admit(own))
    assert abs(turns[busy] - turns[idle]) <= 1


def test_a_cap_holds_and_can_be_raised(
    own: Database, admin: psycopg.Connection, new_tenant: Callable[[], UUID]
) -> None:
    capped = new_tenant()
    admin.execute(
        "insert into tenant_shares (tenant_id, class, in_flight_cap) values (%s, 'interactive', 2)", (capped,)
    )
    assert sum(job.admitted for job in submit(own, capped, 5)) == 2
    assert admit(own) == []
    admin.execute("update tenant_shares set in_flight_cap = 4")
    assert len(admit(own)) == 2


def test_priority_is_a_head_start_among_the_tenants_own(own: Database, new_tenant: Callable[[], UUID]) -> None:
    tenant = new_tenant()
    submit(own, tenant, 7, JobClass.BATCH)
    scope = Scope.tenant(tenant)
    new = [
        new_job(f"p {seconds}", mode=CacheMode.OFF, job_class=JobClass.BATCH, priority=seconds)
        for seconds in (0, 60, -60)
    ]
    for job in new:
        own.run(scope, jobs.submit(tenant, [job]))
    own.run(Scope.system(), backlog.resize_pools(SLOTS * 2))
    admitted = [ready.id for ready in admit(own)]
    assert set(admitted) == {job.id for job in new}
    own.run(Scope.system(), backlog.resize_pools(SLOTS))


def test_held_jobs_fill_their_tenants_share_and_nobody_elses(own: Database, new_tenant: Callable[[], UUID]) -> None:
    held, other = new_tenant(), new_tenant()
    for job in submit(own, held, 8):
        (claim,) = own.run(Scope.tenant(held), claims.claim(held, job.id, 30))
        own.run(Scope.tenant(held), claims.put_back(PutBack(claim, "no_answer", "503", pause_seconds=60)))
    assert [job.admitted for job in submit(own, held, 1)] == [False]
    assert admit(own) == []
    assert sum(job.admitted for job in submit(own, other, 16)) == 8
