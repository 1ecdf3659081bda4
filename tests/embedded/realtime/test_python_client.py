"""The official Python client against the stand-in, unchanged."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from embedded.realtime.conftest import Live, Person

from supabase import AsyncClient, acreate_client

PRIVATE = {"config": {"broadcast": {"ack": False, "self": False}, "presence": {"key": "", "enabled": False}, "private": True}}


@asynccontextmanager
async def client_of(live: Live, person: Person | None = None) -> AsyncIterator[AsyncClient]:
    client = await acreate_client(live.url, live.project.publishable)
    try:
        if person is not None:
            await client.realtime.set_auth(person.token)
        yield client
    finally:
        await client.realtime.close()
        await client.auth.close()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def test_ticks_and_changes_arrive(live: Live, ann: Person, bob: Person) -> None:
    async def play() -> None:
        ticks: list[Any] = []
        changes: list[Any] = []
        states: list[Any] = []
        system: list[Any] = []
        async with client_of(live, ann) as client:
            channel = client.channel(ann.topic, PRIVATE)
            channel.on_broadcast("tick", ticks.append)
            await channel.subscribe(lambda state, error: states.append((state.value, error)))
            other = client.channel("alerts")
            other.on_postgres_changes("INSERT", schema="public", table="alerts", callback=changes.append)
            other.on_system(system.append)
            await other.subscribe(lambda state, error: states.append((state.value, error)))
            foreign = client.channel(bob.topic, PRIVATE)
            await foreign.subscribe(lambda state, error: states.append((state.value, str(error))))
            await until(lambda: system)
            live.send(ann.topic, {"seq": 1})
            live.alert(bob.tenant, "b")
            live.alert(ann.tenant, "a")
            await until(lambda: ticks and changes)
            print(states, ticks, changes, system)
            assert [change["data"]["record"]["occasion"] for change in changes] == ["a"]

    anyio.run(play)
