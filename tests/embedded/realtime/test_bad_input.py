"""What no client says, and topics that are somebody else's."""

import asyncio
import json
import struct
from typing import Any

import anyio
import pytest
from embedded.realtime.conftest import Live, Person
from embedded.realtime.speaking import speaking
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aico.embedded.realtime.frames import Malformed, Message, Version, decode
from aico.embedded.realtime.limits import MAX_FRAME

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
