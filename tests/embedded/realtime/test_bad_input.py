"""What no client says, what is said too often or too loudly, and topics that are somebody else's."""

import asyncio
import json
import struct
from typing import Any

import anyio
import pytest
from conftest import new_tenant
from embedded.realtime.conftest import Live, Person, Serve
from embedded.realtime.speaking import Line, address, speaking
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from aico.embedded.realtime.frames import Malformed, Message, Version, decode
from aico.embedded.realtime.limits import MAX_FRAME, Limits
from aico.store.blocking import Database

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=20,
)
EVENTS = st.sampled_from(["phx_join", "phx_leave", "access_token", "broadcast", "presence", "heartbeat", "x"])
TOPICS = st.sampled_from(["realtime:a", "realtime:", "realtime:a\ud800", "phoenix", "", "realtime:\0", "realtime:%"])
CHANGES = st.dictionaries(
    st.sampled_from(["event", "schema", "table", "filter", "select"]),
    JSON | st.sampled_from(["alerts", "public", "*", "occasion=eq.a", "id=match.(", "detail=in.({)", "id=eq.\0"]),
    max_size=5,
)
PAYLOADS = JSON | st.fixed_dictionaries(
    {"config": st.fixed_dictionaries({"postgres_changes": st.lists(CHANGES, max_size=3), "private": JSON})},
    optional={"access_token": st.text() | st.just("a.b.c")},
)

HOSTILE = [
    ("{", 1007),
    ("[]", 1007),
    ("null", 1007),
    ('"x"', 1007),
    ("NaN", 1007),
    ("[" * 100_000, 1007),
    ('{"topic": 5, "event": "phx_join"}', 1007),
    ('{"topic": "phoenix", "event": "heartbeat", "payload": []}', 1007),
    ('{"topic": "phoenix", "event": "heartbeat", "ref": {}}', 1007),
    ('{"topic": "\\ud800", "event": "heartbeat", "payload": {}}', 1007),
    ('{"topic": "realtime:\\u0000", "event": "phx_join", "payload": {}}', 1007),
    (f'{{"topic": "{"x" * 256}", "event": "phx_join"}}', 1007),
    (b"\x03\x00", 1003),
    ("x" * (MAX_FRAME + 1), 1009),
]


def pushed(topic: str, event: str, payload: bytes, kind: int = 3, encoding: int = 1) -> bytes:
    fields = [b"1", b"2", topic.encode(), event.encode(), b""]
    return struct.pack("7B", kind, *(len(field) for field in fields), encoding) + b"".join(fields) + payload


@pytest.mark.parametrize(("frame", "code"), HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_message_ends_the_connection(live: Live, frame: str | bytes, code: int) -> None:
    async def play() -> None:
        async with speaking(live) as line:
            await line.socket.send(frame)
            assert (await line.closed())[0] == code

    anyio.run(play)


@pytest.mark.parametrize(
    "frame",
    [
        pushed("realtime:a", "e", b"{}", kind=4),
        pushed("realtime:a", "e", b"{}", encoding=0),
        pushed("realtime:a", "e", b"{"),
        pushed("realtime:a", "e", b"\xff"),
        pushed("realtime:a", "e", b"{}")[:9],
        pushed("", "e", b"{}"),
        b"",
    ],
    ids=range(7),
)
def test_a_binary_frame_that_is_no_broadcast_ends_the_connection(live: Live, frame: bytes) -> None:
    async def play() -> None:
        async with speaking(live, vsn="2.0.0") as line:
            await line.socket.send(frame)
            assert (await line.closed())[0] in {1003, 1007}

    anyio.run(play)


def read(version: Version, text: str | None, data: bytes | None) -> Message | int:
    """The message, or the code with which the connection is closed for it."""
    try:
        return decode(version, text, data)
    except Malformed as error:
        return error.code


@given(st.text() | JSON.map(json.dumps), st.sampled_from(Version))
def test_whatever_text_is_read_is_a_message_or_malformed(text: str, version: Version) -> None:
    found = read(version, text, None)
    assert isinstance(found, Message) or found in {1003, 1007}


@given(st.binary(max_size=300))
def test_whatever_bytes_are_read_are_a_broadcast_or_malformed(data: bytes) -> None:
    for frame in (data, b"\x03" + data):
        found = read(Version.TWO, None, frame)
        assert found in {1003, 1007} if isinstance(found, int) else found.event == "broadcast"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TOPICS, EVENTS, PAYLOADS), max_size=8))
def test_no_message_hurts_the_server(live: Live, said: list[tuple[str, str, Any]]) -> None:
    """Each is answered, or closes the connection as one that means nothing."""

    async def play() -> None:
        async with speaking(live) as line:
            for topic, event, payload in said:
                await line.socket.send(
                    json.dumps({"topic": topic, "event": event, "payload": payload, "ref": "9", "join_ref": "9"})
                )
            heartbeat = asyncio.ensure_future(line.ask("phoenix", "heartbeat"))
            try:
                assert (await heartbeat)["status"] == "ok"
            except Exception:  # noqa: BLE001 # the connection is closed, and by which code is what is asked
                assert (await line.closed())[0] in {1003, 1007}

    anyio.run(play)


@pytest.mark.parametrize("event", ["phx_leave", "access_token", "broadcast", "presence", "no such event"])
def test_a_topic_that_was_never_joined_is_not_spoken_to(live: Live, event: str) -> None:
    async def play() -> None:
        async with speaking(live) as line:
            answer = await line.ask("realtime:elsewhere", event, {"event": "e", "payload": {}})
            assert answer == {"status": "error", "response": {"reason": "unmatched topic"}}

    anyio.run(play)


@pytest.mark.parametrize("topic", ["", "realtime", "realtime:", "phoenix", "tenant:x:metrics"])
def test_only_topics_of_realtime_are_joined(live: Live, topic: str) -> None:
    async def play() -> None:
        async with speaking(live) as line:
            if not topic:
                await line.socket.send('{"topic": "", "event": "phx_join", "payload": {}, "ref": "1"}')
                assert (await line.closed())[0] == 1007
                return
            answer = await line.ask(topic, "phx_join", {})
            assert "TopicNameRequired" in answer["response"]["reason"]

    anyio.run(play)


@pytest.mark.parametrize(
    "forged",
    [
        "tenant:{theirs}:metrics",
        "tenant:{theirs}:tenant:{ours}:metrics",
        " tenant:{ours}:metrics",
        "tenant:{ours}",
        "tenant:{ours}:",
        "realtime:tenant:{ours}:metrics",
        "tenant:{ours},{theirs}:metrics",
        "TENANT:{theirs}:metrics",
        "tenant:%:metrics",
        "tenant:' or true --:metrics",
        "*",
    ],
)
def test_a_forged_topic_is_refused(live: Live, ann: Person, bob: Person, forged: str) -> None:
    async def play() -> None:
        async with speaking(live) as line:
            answer = await line.join(forged.format(ours=ann.tenant, theirs=bob.tenant), ann, private=True)
            assert answer["status"] == "error"
            assert answer["response"]["reason"].startswith("Unauthorized: ")
            assert (await line.join(ann.topic, ann, private=True))["status"] == "ok"

    anyio.run(play)


def test_a_private_message_is_not_heard_on_the_public_topic_of_that_name(live: Live, ann: Person, bob: Person) -> None:
    async def play() -> None:
        async with speaking(live) as hers, speaking(live) as his:
            await hers.join(ann.topic, ann, private=True)
            await his.join(ann.topic, bob, broadcast={"self": True, "ack": True})
            live.send(ann.topic, {"seq": 1})
            assert (await hers.hear("broadcast"))["payload"]["payload"]["seq"] == 1
            forged = {"type": "broadcast", "event": "tick", "payload": {"seq": 666}}
            await his.ask(f"realtime:{ann.topic}", "broadcast", forged)
            live.send(ann.topic, {"seq": 2})
            live.send(ann.topic, {"seq": 3}, private=False)
            assert (await hers.hear("broadcast"))["payload"]["payload"]["seq"] == 2
            assert (await his.hear("broadcast"))["payload"]["payload"]["seq"] == 3

    anyio.run(play)


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
