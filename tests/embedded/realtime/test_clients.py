"""The official clients subscribe to everything that there is, and hear what is theirs."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

import anyio
import pytest
from embedded.realtime.conftest import Live, Person
from embedded.realtime.listening import (
    Listener,
    Said,
    ScriptListener,
    javascript_client,
    of,
    python_client,
    states,
    subscribed,
    until,
)

Open = Callable[..., AbstractAsyncContextManager[Listener]]

ALERTS = {"event": "*", "schema": "public", "table": "alerts"}

each_client = pytest.mark.parametrize(
    ("client", "version"),
    [(python_client, "1.0.0"), (javascript_client, "2.0.0"), (javascript_client, "1.0.0")],
    ids=["python", "javascript", "javascript-1.0.0"],
)


def occasions(listener: Listener, number: int = 0) -> list[str]:
    return [told["record"]["occasion"] for told in of(listener, "change") if told["number"] == number]


@each_client
def test_a_tick_is_heard_on_the_private_topic_of_the_own_tenant_alone(
    live: Live, ann: Person, bob: Person, client: Open, version: str
) -> None:
    async def play() -> None:
        async with client(live, ann, version) as listener:
            await subscribed(listener, ann.topic, private=True)
            await listener.subscribe(bob.topic, private=True)
            [refused] = await until(lambda: of(listener, "state", bob.topic))
            assert refused["state"] == "CHANNEL_ERROR"
            assert "You do not have permissions to read from this Channel topic" in refused["error"]
            live.send(bob.topic, {"seq": 1})
            live.send(ann.topic, {"seq": 7, "seconds": [{"cost_cents": "0.001"}]})
            [tick] = await until(lambda: of(listener, "broadcast"))
            assert (tick["name"], tick["event"]) == (ann.topic, "tick")
            assert tick["payload"]["seq"] == 7
            assert tick["payload"]["id"] == tick["meta"]["id"]

    anyio.run(play)


@each_client
def test_changes_are_told_to_those_who_see_the_row(
    live: Live, ann: Person, bob: Person, client: Open, version: str
) -> None:
    async def play() -> None:
        async with client(live, ann, version) as hers, client(live, bob, version) as his:
            for listener in (hers, his):
                await subscribed(listener, "all", [ALERTS])
            live.alert(bob.tenant, "his")
            live.alert(ann.tenant, "hers")
            live.database.execute("update public.alerts set occasion = 'newer' where tenant_id = %s", (ann.tenant,))
            live.database.execute("delete from public.alerts where tenant_id = %s", (bob.tenant,))
            live.alert(bob.tenant, "his again")
            await until(lambda: len(of(hers, "change")) == 2 and "his again" in occasions(his))
            first, second = of(hers, "change")
            assert (first["event"], first["record"]["occasion"], first["errors"]) == ("INSERT", "hers", None)
            assert first["record"]["detail"] == {"spent": 1.5}
            assert (second["event"], second["record"]["occasion"]) == ("UPDATE", "newer")
            assert second["old"] == {"tenant_id": str(ann.tenant), "id": first["record"]["id"]}
            assert {told["event"] for told in of(his, "change")} == {"INSERT"}  # nobody is told whose row is gone
            assert not {"hers", "newer"} & set(occasions(his))

    anyio.run(play)


@each_client
def test_filters_events_and_columns_are_chosen_for_each_subscription(
    live: Live, ann: Person, client: Open, version: str
) -> None:
    wanted: list[dict[str, Any]] = [
        {**ALERTS, "filter": "occasion=eq.b"},
        {**ALERTS, "event": "UPDATE"},
        {"event": "INSERT", "schema": "public", "table": "alerts", "select": ["occasion", "id"]},
        {"event": "*", "schema": "public"},
    ]

    async def play() -> None:
        async with client(live, ann, version) as listener:
            await subscribed(listener, "chosen", wanted)
            for occasion in ("a", "b", "c"):
                live.alert(ann.tenant, occasion)
            live.database.execute(
                "update public.alerts set occasion = 'd' where tenant_id = %s and occasion = 'c'", (ann.tenant,)
            )
            await until(lambda: len(occasions(listener, 3)) == 4)
            assert occasions(listener, 3) == ["a", "b", "c", "d"]
            assert occasions(listener, 0) == ["b"]
            assert occasions(listener, 1) == ["d"]
            chosen = [told["record"].keys() for told in of(listener, "change") if told["number"] == 2]
            assert chosen == [{"occasion", "id"}] * 3

    anyio.run(play)


@each_client
def test_what_one_client_says_on_a_public_topic_the_others_hear(
    live: Live, ann: Person, bob: Person, client: Open, version: str
) -> None:
    room = f"room {uuid4().hex}"

    async def play() -> None:
        async with client(live, ann, version) as hers, client(live, bob, version) as his:
            await subscribed(hers, room, said=Said(ack=True, itself=True))
            await subscribed(his, room)
            await hers.say(room, "hello", {"word": "grüße 🙂"})
            await until(lambda: of(hers, "broadcast") and of(his, "broadcast"))
            await his.say(room, "answer", {"n": 1})
            await until(lambda: len(of(hers, "broadcast")) == 2)
            assert [(told["event"], told["payload"]) for told in of(his, "broadcast")] == [
                ("hello", {"word": "grüße 🙂"})
            ]

    anyio.run(play)


@each_client
def test_nobody_says_anything_on_a_private_topic(live: Live, ann: Person, client: Open, version: str) -> None:
    async def play() -> None:
        async with client(live, ann, version) as hers, client(live, ann, version) as too:
            await subscribed(hers, ann.topic, private=True, said=Said(ack=True, itself=True))
            await subscribed(too, ann.topic, private=True)
            await subscribed(too, "public")
            await hers.say(ann.topic, "tick", {"seq": 666})
            live.send(ann.topic, {"seq": 1})
            await until(lambda: of(hers, "broadcast") and of(too, "broadcast"))
            assert {told["payload"]["seq"] for told in [*of(hers, "broadcast"), *of(too, "broadcast")]} == {1}

    anyio.run(play)


@each_client
def test_a_channel_that_is_left_hears_nothing_more_and_can_be_joined_again(
    live: Live, ann: Person, client: Open, version: str
) -> None:
    async def play() -> None:
        async with client(live, ann, version) as listener:
            await subscribed(listener, "other", [ALERTS])
            await subscribed(listener, ann.topic, private=True)
            await listener.unsubscribe(ann.topic)
            await until(lambda: states(listener, ann.topic)[-1] == "CLOSED")
            live.send(ann.topic, {"seq": 1})
            live.alert(ann.tenant, "after")
            await until(lambda: occasions(listener))
            assert of(listener, "broadcast") == []
            await listener.subscribe(ann.topic, private=True)
            await until(lambda: states(listener, ann.topic)[-1] == "SUBSCRIBED")
            live.send(ann.topic, {"seq": 2})
            [tick] = await until(lambda: of(listener, "broadcast"))
            assert tick["payload"]["seq"] == 2

    anyio.run(play)


def test_presence_is_refused_and_the_channel_goes_on(live: Live, ann: Person) -> None:
    async def play() -> None:
        listener: ScriptListener
        async with javascript_client(live, ann) as listener:
            await subscribed(listener, "present")
            await listener.track("present")
            [tracked] = await until(lambda: of(listener, "tracked"))
            assert tracked["answer"] == "error"
            assert states(listener, "present") == ["SUBSCRIBED"]

    anyio.run(play)
