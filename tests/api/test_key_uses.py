"""When a key was last used is stored without a write for each request."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
from api.conftest import Connect, serving
from conftest import Postgres, Tenant

from aico.api.key_uses import KeyUses
from aico.core.settings import Settings
from aico.store.aio import AsyncDatabase


def last_used(admin: psycopg.Connection[Any], tenant: Tenant) -> datetime | None:
    row = admin.execute("select last_used_at from public.api_keys where id = %s", (tenant.key_id,)).fetchone()
    assert row is not None
    at: datetime | None = row[0]
    return at


def test_uses_are_stored_at_the_latest_when_the_process_stops(
    connect: Connect, base_settings: Settings, admin: psycopg.Connection[Any], make_tenant: Callable[[], Tenant]
) -> None:
    used, unused = make_tenant(), make_tenant()
    with serving(base_settings) as url:
        client = connect(url, used.key)
        before = admin.execute("select xmin from public.api_keys where id = %s", (used.key_id,)).fetchone()
        for _ in range(20):
            assert client.get("/v1/jobs").status_code == 200
        assert admin.execute("select xmin from public.api_keys where id = %s", (used.key_id,)).fetchone() == before
    now = admin.execute("select now()").fetchone()
    stored = last_used(admin, used)
    assert stored is not None
    assert now is not None
    assert stored <= now[0]
    assert last_used(admin, unused) is None


def test_many_keys_are_one_statement_and_nothing_earlier_than_stored(
    postgres: Postgres, admin: psycopg.Connection[Any], make_tenant: Callable[[], Tenant]
) -> None:
    pair = [make_tenant(), make_tenant()]

    async def use() -> None:
        database = AsyncDatabase(postgres.url, max_size=1)
        await database.open()
        uses = KeyUses(database)
        for tenant in pair:
            uses.note(tenant.id, tenant.key_id)
        uses.note(pair[0].id, pair[1].key_id)  # no such key in that tenant
        await uses.flush()
        await database.close()

    admin.execute("update public.api_keys set last_used_at = '2100-01-01' where id = %s", (pair[0].key_id,))
    asyncio.run(use())
    later, now = (last_used(admin, tenant) for tenant in pair)
    assert later is not None
    assert now is not None
    assert (later.year, now.year < 2100) == (2100, True)


def test_what_cannot_be_stored_now_is_kept_for_the_next_time(
    postgres: Postgres, admin: psycopg.Connection[Any], tenant: Tenant
) -> None:
    async def use() -> None:
        away = AsyncDatabase("postgresql://aico_app@127.0.0.1:9/none", max_size=1)
        there = AsyncDatabase(postgres.url, max_size=1)
        await there.open()
        uses = KeyUses(away)
        uses.note(tenant.id, tenant.key_id)
        await away.open()
        await uses.flush()
        await away.close()
        assert last_used(admin, tenant) is None
        uses._database = there
        await uses.flush()
        await there.close()

    asyncio.run(use())
    assert last_used(admin, tenant) is not None
