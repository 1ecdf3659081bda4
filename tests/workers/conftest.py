import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
import redis
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from redis.backoff import NoBackoff
from redis.retry import Retry
from workers.indexing import LEAST, Connection, Searcher, administering
from workers.notifying import Receiver, receiving

from aico.core.settings import Settings
from aico.store.blocking import Database
from aico.workers import compare, embed, notify
from aico.workers.host_limits import HostLimits
from aico.workers.index_keeper import IndexKeeper
from aico.workers.runtime import Runtime

Rows = Callable[[Tenant], list[dict[str, Any]]]


@pytest.fixture
def runtime(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """The runtime of a worker that was just started, on an empty Redis."""
    monkeypatch.setattr(compare, "_stopping", threading.Event())
    embed.lookup.cache_clear()  # of a test before, with its runtime and its embedder
    client = redis.Redis.from_url(settings.redis_url.get_secret_value(), decode_responses=True)
    client.flushdb()
    yield Runtime(settings, database, client)
    client.close()


@pytest.fixture
def deaf_runtime(settings: Settings, database: Database) -> Iterator[Runtime]:
    """A worker's runtime whose Redis is gone."""
    client = redis.Redis(port=9, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))
    yield Runtime(settings, database, client)
    client.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as state:
        yield state


@pytest.fixture
def notifier(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """A worker that may reach the receiver, whose address is a private one."""
    allowed = replace(runtime, settings=runtime.settings.model_copy(update={"webhook_allow_private": True}))
    monkeypatch.setattr(notify, "get_runtime", lambda: allowed)
    limits = HostLimits(per_host=notify.CALLS_PER_HOST, per_endpoint=notify.CALLS_PER_ENDPOINT, patience=0)
    monkeypatch.setattr(notify, "_limits", lambda: limits)
    return allowed


@pytest.fixture
def rows(postgres: Postgres) -> Iterator[Rows]:
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as connection:
        query = "select *, next_attempt_at - now() as wait from public.webhook_deliveries where tenant_id = %s"
        yield lambda tenant: connection.execute(f"{query} order by created_at, endpoint_id", (tenant.id,)).fetchall()


@pytest.fixture
def make_due(postgres: Postgres) -> Callable[[Tenant], None]:
    def make(tenant: Tenant) -> None:
        with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
            connection.execute(
                "update public.webhook_deliveries set next_attempt_at = now() where tenant_id = %s", (tenant.id,)
            )

    return make


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[Connection]:
    with administering(postgres.admin_url) as connection:
        yield connection


@pytest.fixture
def keeper(postgres: Postgres) -> IndexKeeper:
    return IndexKeeper(postgres.admin_url, least_rows=LEAST)


@pytest.fixture
def searcher(postgres: Postgres, tenant: Tenant) -> Iterator[Searcher]:
    opened = Searcher(postgres.admin_url, tenant)
    yield opened
    opened.close()
