"""Credentials that API processes remember: for how long, and that a change is heard of by all of them at once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
import redis
from api.conftest import DEAD_PORT, Connect, assert_problem, serving, wait_until
from api.identity import People
from api.other_process import other_process
from api.project import Project
from conftest import Tenant, new_tenant

from aico.core import changes
from aico.core.access import Permission
from aico.core.keys import make_key
from aico.core.settings import Settings
from aico.embedded.ports import LOOPBACK
from aico.store import api_keys
from aico.store.blocking import Database
from aico.store.scope import Scope

LONG = {"api_key_cache_seconds": 3600.0}  # so that nothing is forgotten by itself


@pytest.fixture(scope="module")
def first(base_settings: Settings, signing: Project) -> Iterator[str]:
    with serving(base_settings.model_copy(update={**LONG, "supabase_url": signing.url})) as url:
        yield url


@pytest.fixture(scope="module")
def second(base_settings: Settings, signing: Project) -> Iterator[str]:
    with other_process(base_settings, SUPABASE_URL=signing.url) as url:
        yield url


@pytest.fixture
def owned(database: Database) -> Tenant:
    return new_tenant(database, tuple(Permission))


def _new_key(database: Database, tenant: Tenant, expires_at: datetime | None = None) -> tuple[str, UUID]:
    key = make_key("another", expires_at)
    database.run(Scope.tenant(tenant.id), api_keys.create(tenant.id, key))
    return key.secret.get_secret_value(), key.id


def _remembering(url: str, connect: Connect, database: Database, tenant: Tenant) -> None:
    """Until the server's subscription is heard on, it remembers nothing; then a key outlives its row's end."""

    def outlived() -> bool:
        secret, key = _new_key(database, tenant)
        client = connect(url, secret)
        assert client.get("/v1/jobs").status_code == 200
        database.run(Scope.tenant(tenant.id), api_keys.revoke(tenant.id, key))  # nobody is told
        return client.get("/v1/jobs").status_code == 200

    wait_until(outlived)


def test_a_revoked_key_is_refused_by_every_process_at_once_and_by_mcp(
    connect: Connect, first: str, second: str, owned: Tenant, database: Database
) -> None:
    for url in (first, second):
        _remembering(url, connect, database, owned)
    secret, key = _new_key(database, owned)
    clients = [connect(url, secret) for url in (first, second)]
    assert [client.get("/v1/jobs").status_code for client in clients] == [200, 200]
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accepts = {"Accept": "application/json, text/event-stream"}
    assert clients[1].post("/mcp", json=ping, headers=accepts).status_code != 401
    assert connect(first, owned.key).delete(f"/v1/api-keys/{key}").status_code == 204
    assert clients[0].get("/v1/jobs").status_code == 401
    wait_until(lambda: clients[1].get("/v1/jobs").status_code == 401)
    assert clients[1].post("/mcp", json=ping, headers=accepts).status_code == 401


def test_a_removed_member_is_out_everywhere_at_once_and_a_changed_role_counts(
    connect: Connect,
    first: str,
    second: str,
    owned: Tenant,
    database: Database,
    admin: psycopg.Connection[Any],
    signing: Project,
) -> None:
    for url in (first, second):
        _remembering(url, connect, database, owned)
    people = People(admin, connect, signing, first)
    person = people.someone(tenant=owned.id, role="viewer")
    token = person.client.headers["Authorization"].removeprefix("Bearer ")
    elsewhere, owner = connect(second, token), connect(first, owned.key)
    job = {"prompt": "may I?"}
    assert elsewhere.post("/v1/jobs", json=job).status_code == 403
    assert owner.patch(f"/v1/members/{person.id}", json={"role": "member"}).status_code == 204
    wait_until(lambda: elsewhere.post("/v1/jobs", json=job).status_code == 202)
    assert owner.delete(f"/v1/members/{person.id}").status_code == 204
    named = {"X-Tenant-Id": str(owned.id)}
    wait_until(lambda: elsewhere.post("/v1/jobs", json=job, headers=named).status_code == 403)


def test_while_revocations_cannot_be_heard_of_nothing_is_remembered(
    connect: Connect, base_settings: Settings, owned: Tenant, database: Database
) -> None:
    deaf = base_settings.model_copy(
        update={**LONG, "redis_url": type(base_settings.redis_url)(f"redis://{LOOPBACK}:{DEAD_PORT}/0")}
    )
    with serving(deaf) as url:
        secret, key = _new_key(database, owned)
        client = connect(url, secret)
        assert client.get("/v1/jobs").status_code == 200
        database.run(Scope.tenant(owned.id), api_keys.revoke(owned.id, key))
        assert_problem(client.get("/v1/jobs"), 401, "unauthorized")


def test_what_was_remembered_before_the_connection_broke_counts_no_more(
    connect: Connect, first: str, owned: Tenant, database: Database, broker: redis.Redis
) -> None:
    _remembering(first, connect, database, owned)
    secret, key = _new_key(database, owned)
    client = connect(first, secret)
    assert client.get("/v1/jobs").status_code == 200
    broker.client_kill_filter(_type="pubsub")  # what was published now would be heard by nobody
    database.run(Scope.tenant(owned.id), api_keys.revoke(owned.id, key))
    wait_until(lambda: client.get("/v1/jobs").status_code == 401)


def test_a_key_is_not_remembered_beyond_its_expiry(
    connect: Connect, first: str, owned: Tenant, database: Database, admin: psycopg.Connection[Any]
) -> None:
    _remembering(first, connect, database, owned)
    secret, _ = _new_key(database, owned, datetime.now(UTC) + timedelta(seconds=1.5))
    client = connect(first, secret)
    assert client.get("/v1/jobs").status_code == 200
    wait_until(lambda: client.get("/v1/jobs").status_code == 401)


def test_a_token_is_not_remembered_beyond_its_expiry(
    connect: Connect, first: str, owned: Tenant, database: Database, admin: psycopg.Connection[Any], signing: Project
) -> None:
    """Within the forgiven clock difference it is verified each time, so that it ends when that ends."""
    _remembering(first, connect, database, owned)
    people = People(admin, connect, signing, first)
    person = people.someone(tenant=owned.id)
    ending = int(datetime.now(UTC).timestamp()) - 8  # of the 10 s that are forgiven 2 are left
    client = connect(first, people.token(person.id, person.email, exp=ending))
    assert client.get("/v1/jobs").status_code == 200
    wait_until(lambda: client.get("/v1/jobs").status_code == 401)


def test_a_message_about_somebody_else_changes_nothing(
    connect: Connect, first: str, owned: Tenant, database: Database, broker: redis.Redis
) -> None:
    _remembering(first, connect, database, owned)
    secret, key = _new_key(database, owned)
    client = connect(first, secret)
    assert client.get("/v1/jobs").status_code == 200
    broker.publish(changes.CHANNEL, "nonsense")
    broker.publish(changes.CHANNEL, changes.of_key(owned.key_id))
    database.run(Scope.tenant(owned.id), api_keys.revoke(owned.id, key))
    assert client.get("/v1/jobs").status_code == 200
    broker.publish(changes.CHANNEL, changes.of_tenant(owned.id))
    wait_until(lambda: client.get("/v1/jobs").status_code == 401)
