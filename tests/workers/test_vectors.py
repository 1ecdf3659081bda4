"""Asks for vectors, as they go through Redis, and how the embed worker answers them."""

import struct
from typing import cast
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workers.test_embed import KnownEmbedder

from aico.workers import embed
from aico.workers.asks import KEPT_SECONDS, TEXTS_IN_AN_ASK, Answer, Ask, answers_key, ask_key, in_calls
from aico.workers.runtime import Runtime
from aico.workers.vectors import Vectors

TOO_LONG = "w" * 1000


@pytest.fixture
def embedder(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> KnownEmbedder:
    known = KnownEmbedder([])
    monkeypatch.setattr(embed, "get_runtime", lambda: runtime)
    monkeypatch.setattr(embed, "embedder", lambda: known)
    return known


def put(runtime: Runtime, ask: Ask) -> tuple[str, str]:
    runtime.redis.set(ask.key, ask.encoded())
    return (str(uuid4()), str(ask.id))


def answers(runtime: Runtime, ask: Ask) -> list[Vectors]:
    """Of all asks of its process."""
    return [Vectors.decoded(item.data) for item in heard(runtime, ask)]


def heard(runtime: Runtime, ask: Ask) -> list[Answer]:
    """Read as the API does: as bytes."""
    raw = runtime.redis.connection_pool.connection_kwargs
    client = type(runtime.redis)(host=raw["host"], port=raw["port"], password=raw["password"], db=raw["db"])
    items = client.lrange(answers_key(ask.process), 0, -1)
    client.close()
    return [Answer.decoded(cast("bytes", item)) for item in items]


@given(st.lists(st.text().filter(str.isprintable), min_size=1), st.dictionaries(st.text(), st.integers() | st.none()))
def test_an_ask_is_read_as_it_was_written(texts: list[str], terms: dict[str, int | None]) -> None:
    ask = Ask(uuid4(), uuid4(), texts, terms)
    assert Ask.decoded(str(ask.id), ask.encoded()) == ask


@given(st.integers(0, 2**32 - 1), st.none() | st.integers(0, 2047), st.binary())
def test_an_answer_is_read_as_it_was_written(tokens: int, too_long: int | None, data: bytes) -> None:
    found = Vectors(tokens, too_long, data)
    answer = Answer(uuid4(), found.encoded())
    assert Answer.decoded(answer.encoded()) == answer
    assert Vectors.decoded(answer.data) == found


def test_what_is_no_answer_is_told_apart() -> None:
    with pytest.raises(struct.error):
        Answer.decoded(b"short")


@given(st.lists(st.integers(1, 2 * TEXTS_IN_AN_ASK)))
def test_calls_keep_the_order_and_are_small(sizes: list[int]) -> None:
    asks = [Ask(uuid4(), uuid4(), ["x"] * size) for size in sizes]
    calls = list(in_calls(asks))
    assert [ask for call in calls for ask in call] == asks
    for call in calls:
        assert len(call) == 1 or sum(len(ask.texts) for ask in call) <= TEXTS_IN_AN_ASK


def test_each_process_gets_its_own_answers(runtime: Runtime, embedder: KnownEmbedder) -> None:
    one, other = Ask(uuid4(), uuid4(), ["first text", "second"]), Ask(uuid4(), uuid4(), ["third"])
    embed.vectors.run([put(runtime, one), put(runtime, other)])
    (mine,), (theirs,) = answers(runtime, one), answers(runtime, other)
    assert embedder.calls == [["first text", "second", "third"]]
    expected = KnownEmbedder([]).embed(["first text", "second", "third"])
    np.testing.assert_array_equal(np.frombuffer(mine.data + theirs.data, "<f4").reshape(-1, 384), expected)
    assert (mine.tokens, theirs.tokens) == (7, 3)
    assert [item.ask for ask in (one, other) for item in heard(runtime, ask)] == [one.id, other.id]
    assert 0 < runtime.redis.ttl(answers_key(one.process)) <= KEPT_SECONDS


def test_one_ask_that_is_too_long_does_not_spoil_its_neighbours(runtime: Runtime, embedder: KnownEmbedder) -> None:
    good, bad = Ask(uuid4(), uuid4(), ["fits"]), Ask(uuid4(), uuid4(), ["fits too", TOO_LONG, TOO_LONG])
    embed.vectors.run([put(runtime, bad), put(runtime, good)])
    assert answers(runtime, bad) == [Vectors(too_long=1)]
    assert [len(answer.data) for answer in answers(runtime, good)] == [4 * 384]
    assert embedder.calls == [["fits"]]


def test_an_ask_is_answered_once_and_one_that_is_gone_never(runtime: Runtime, embedder: KnownEmbedder) -> None:
    ask, gone = Ask(uuid4(), uuid4(), ["once"]), Ask(uuid4(), uuid4(), ["gone"])
    message = put(runtime, ask)
    embed.vectors.run([message, message, (str(uuid4()), str(gone.id))])
    embed.vectors.run([message])
    assert len(answers(runtime, ask)) == 1
    assert answers(runtime, gone) == []
    assert not runtime.redis.exists(ask_key(str(ask.id)))


def test_without_redis_nobody_is_answered_and_the_worker_goes_on(
    runtime: Runtime, deaf_runtime: Runtime, embedder: KnownEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Ask(uuid4(), uuid4(), ["patience"])
    message = put(runtime, ask)
    with monkeypatch.context() as away:
        away.setattr(embed, "get_runtime", lambda: deaf_runtime)
        embed.vectors.run([message])
    assert answers(runtime, ask) == []
    embed.vectors.run([message])
    assert len(answers(runtime, ask)) == 1
