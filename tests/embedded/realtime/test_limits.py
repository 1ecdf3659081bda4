"""What a connection, a person and everybody together may ask for, and what becomes of who asks for more."""

import asyncio

import anyio
from conftest import new_tenant
from embedded.realtime.conftest import Person, Serve
from embedded.realtime.speaking import Line, address, speaking
from websockets.asyncio.client import connect

from aico.embedded.realtime.limits import Limits
from aico.store.blocking import Database


def test_a_connection_has_a_limit_of_channels_and_a_join_one_of_changes(serve_live: Serve, ann: Person) -> None:
    with serve_live(limits=Limits(channels=2, bindings=1)) as live:

        async def play() -> None:
            async with speaking(live) as line:
                answers = [await line.join(name) for name in ("a", "b", "c", "b")]
                assert [answer["status"] for answer in answers] == ["ok", "ok", "error", "ok"]
                assert "ChannelRateLimitReached" in answers[2]["response"]["reason"]
                greedy = await line.join("a", postgres_changes=[{"table": "alerts"}] * 2)
                assert "at most 1 postgres_changes" in greedy["response"]["reason"]

        anyio.run(play)


def test_a_person_has_a_limit_of_channels_over_all_connections(serve_live: Serve, database: Database) -> None:
    with serve_live(limits=Limits(person_channels=1)) as live:
        eve, tom = (live.join(new_tenant(database).id) for _ in range(2))

        async def play() -> None:
            async with speaking(live) as one, speaking(live) as other:
                assert (await one.join("a", eve))["status"] == "ok"
                refused = await other.join("b", eve)
                assert "Too many channels of this account" in refused["response"]["reason"]
                assert (await other.join("b", tom))["status"] == "ok"
                await one.ask("realtime:a", "phx_leave")
                assert (await one.join("a", eve))["status"] == "ok"

        anyio.run(play)


def test_a_person_has_a_limit_of_changes_over_all_connections(serve_live: Serve, database: Database) -> None:
    """They are all asked for in one question, which is written while everybody waits."""
    with serve_live(limits=Limits(person_bindings=3)) as live:
        eve, tom = (live.join(new_tenant(database).id) for _ in range(2))
        two = [{"table": "alerts"}, {"table": "batches"}]

        async def play() -> None:
            async with speaking(live) as one, speaking(live) as other:
                assert (await one.join("a", eve, postgres_changes=two))["status"] == "ok"
                refused = await other.join("b", eve, postgres_changes=two)
                assert "Too many postgres_changes of this account" in refused["response"]["reason"]
                assert (await other.join("b", tom, postgres_changes=two))["status"] == "ok"
                assert (await other.join("c", eve, postgres_changes=two[:1]))["status"] == "ok"
                await one.ask("realtime:a", "phx_leave")
                assert (await one.join("d", eve, postgres_changes=two))["status"] == "ok"

        anyio.run(play)


def test_who_joins_as_nobody_and_then_signs_in_has_the_same_limit(serve_live: Serve, database: Database) -> None:
    with serve_live(limits=Limits(person_channels=1)) as live:
        eve = live.join(new_tenant(database).id)

        async def play() -> None:
            async with speaking(live) as line:
                assert (await line.join("a"))["status"] == "ok"
                assert (await line.join("b"))["status"] == "ok"
                for name in ("a", "a", "b"):  # the second time it is the same person's already
                    await line.say(f"realtime:{name}", "access_token", {"access_token": eve.token})
                refused = await line.hear("system")
                assert "Too many channels of this account" in refused["payload"]["message"]
                assert (await line.hear("phx_close"))["topic"] == "realtime:b"

        anyio.run(play)


def test_joins_beyond_the_limit_are_refused_in_the_words_that_clients_know(serve_live: Serve) -> None:
    with serve_live(limits=Limits(joins_per_second=0.4)) as live:

        async def play() -> None:
            async with speaking(live) as line:
                answers = [await line.join(name) for name in "abcd"]
                reasons = [answer["response"].get("reason", "") for answer in answers]
                assert reasons[:2] == ["", ""]
                assert reasons[3].startswith("ClientJoinRateLimitReached")

        anyio.run(play)


def test_who_says_too_much_is_disconnected(serve_live: Serve) -> None:
    with serve_live(limits=Limits(messages_per_second=2)) as live:

        async def play() -> None:
            async with speaking(live) as line:
                for _ in range(30):
                    await line.say("phoenix", "heartbeat")
                assert await line.closed() == (1008, "Too many messages per second")

        anyio.run(play)


def test_who_gives_no_sign_of_life_is_disconnected(serve_live: Serve) -> None:
    with serve_live(limits=Limits(silence_seconds=0.2)) as live:

        async def play() -> None:
            async with speaking(live) as line:
                assert await line.closed() == (1001, "no sign of life")

        anyio.run(play)


def test_who_does_not_read_is_dropped_and_the_others_hear_everything(serve_live: Serve, database: Database) -> None:
    """Its kernel takes some of what is sent; what the server keeps for it is bounded."""
    with serve_live(limits=Limits(queued_frames=50, queued_bytes=200_000)) as live:
        eve = live.join(new_tenant(database).id)

        async def play() -> None:
            async with (
                speaking(live) as quick,
                connect(address(live), max_size=None, max_queue=1) as socket,
            ):
                slow = Line(socket)
                for line in (slow, quick):
                    assert (await line.join(eve.topic, eve, private=True))["status"] == "ok"
                for number in range(400):
                    await asyncio.to_thread(live.send, eve.topic, {"seq": number, "filling": "x" * 50_000})
                    assert (await quick.hear("broadcast"))["payload"]["payload"]["seq"] == number
                assert live.realtime.channels.connections == 1
                assert (await slow.closed())[0] == 1006

        anyio.run(play)
