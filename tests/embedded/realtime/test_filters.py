"""Which changes a filter lets through, and what is no filter."""

import json
from typing import Any

import anyio
import psycopg
import pytest
from embedded.realtime.conftest import Live, Person
from embedded.realtime.following import ROW, SAID, followed, things, told
from embedded.realtime.speaking import speaking

from aico.core.errors import InvalidInput
from aico.embedded.realtime.filters import Condition, parse_filter

__all__ = ["things"]

# Each with the names (k2) of the rows below that it lets through.
ROWS = [
    ("a", "1", "1.5", "true", "apple", "happy"),
    ("b", "10", "null", "false", "Apple, pie", "sad"),
    ("c", "null", "-2", "null", "50% (off)", "null"),
    ("d", "9", "1.50", "true", "null", "ok"),
]
MATCHES = {
    "f=eq.1": "a",
    "f=neq.1": "bd",
    "f=lt.10": "ad",
    "f=lte.10": "abd",
    "f=gt.9": "b",
    "f=gte.9": "bd",
    "n=eq.1.500": "ad",
    "n=in.(1.5,-2)": "acd",
    "n=is.null": "b",
    "n=not.is.null": "acd",
    "b=is.true": "ad",
    "b=is.FALSE": "b",
    "b=is.unknown": "c",
    "b=eq.t": "ad",
    "b=isdistinct.true": "bc",
    "b=not.isdistinct.true": "ad",
    "t=eq.apple": "a",
    't=eq."Apple, pie"': "b",
    't=in.("Apple, pie",apple)': "ab",
    't=not.in.("Apple, pie",apple)': "c",
    "t=like.%pp%": "ab",
    "t=like.a%": "a",
    "t=ilike.a%": "ab",
    "t=not.like.a%": "bc",
    't=like."50\\\\% (%"': "c",
    "t=match.^a.*e$": "a",
    "t=imatch.^a": "ab",
    't=match."\\\\(off\\\\)$"': "c",
    "f=gt.1,b=eq.true": "d",
    "f=gt.0, t=not.eq.apple ,b=is.false": "b",
    "mood=gte.ok": "ad",
    "mood=in.(sad,ok)": "bd",
    "k2=gt.b": "cd",
    '"k2"=eq.a': None,
    "at=lt.2026-12-01": "abcd",
    "j=eq.{}": "abcd",
    "a=eq.{1}": "abcd",
    "": "abcd",
    "   ": "abcd",
}


def test_every_filter_lets_through_what_postgres_would(
    live: Live, ann: Person, things: psycopg.Connection[Any]
) -> None:
    filters = [wanted for wanted, names in MATCHES.items() if names is not None]

    async def play() -> None:
        async with speaking(live) as line:
            wanted = [{**SAID, "filter": each} for each in filters]
            assert await followed(line, ann, *wanted) == "Subscribed to PostgreSQL"
            heard: dict[str, str] = dict.fromkeys(filters, "")
            for number, (name, *values) in enumerate(ROWS):
                given = [None if value == "null" else value for value in values]
                things.execute(
                    'insert into live_test.things ("Key 1", k2, f, n, b, t, mood, at, j, a)'
                    " values (%s, %s, %s, %s, %s, %s, %s, '2026-11-26', '{}', '{1}')",
                    (number, name, *given),
                )
                for one in (await told(line))["ids"]:
                    heard[filters[one - 1]] += name
            assert heard == {each: MATCHES[each] for each in filters}

    anyio.run(play)


@pytest.mark.parametrize(
    "wanted",
    [
        {"filter": "f"},
        {"filter": "f=1"},
        {"filter": "f=foo.1"},
        {"filter": "undefined"},
        {"filter": "f=eq.1,"},
        {"filter": "f=eq.one"},
        {"filter": "f=in.1"},
        {"filter": "f=in.(1"},
        {"filter": "f=in.(one)"},
        {"filter": "f=is.maybe"},
        {"filter": "f=like.1%"},
        {"filter": "t=match.("},
        {"filter": "t=imatch.["},
        {"filter": "u=eq.1"},
        {"filter": "nothing=eq.1"},
        {"filter": "secret=eq.hush"},
        {"filter": "1=1;--=eq.1"},
        {"filter": '"k2"=eq.a'},
        {"filter": "t=eq.\0"},
        {"filter": "t=eq." + "x" * 2000},
        {"filter": ",".join(["f=eq.1"] * 21)},
        {"filter": 5},
        {"select": "t"},
        {"select": ["secret"]},
        {"select": ["nothing"]},
        {"select": [5]},
        {"table": "untold"},
        {"table": "nothing"},
        {"table": "*", "filter": "f=eq.1"},
        {"table": "*", "select": ["f"]},
        {"table": 5},
        {"schema": "\0"},
    ],
    ids=lambda wanted: json.dumps(wanted)[:60],
)
def test_what_cannot_be_followed_is_said_and_nothing_of_it_is_told(
    live: Live, ann: Person, things: psycopg.Connection[Any], wanted: dict[str, Any]
) -> None:
    async def play() -> None:
        async with speaking(live) as line:
            fault = await followed(line, ann, SAID, {**SAID, **wanted})
            assert fault
            assert fault != "Subscribed to PostgreSQL"
            assert "hush" not in fault
            async with speaking(live) as witness:
                await followed(witness, ann, SAID)
                things.execute(ROW)
                assert (await told(witness))["ids"] == [1]
            assert await followed(line, ann, SAID) == "Subscribed to PostgreSQL"
            things.execute("insert into live_test.things (\"Key 1\", k2) values (2, 'next')")
            assert (await told(line))["record"]["k2"] == "next"

    anyio.run(play)


def test_a_filter_that_takes_too_long_ends_its_own_channel_alone(
    live: Live, ann: Person, bob: Person, things: psycopg.Connection[Any]
) -> None:
    """A pattern that costs Postgres minutes on this value."""
    pattern = "t=match.(a*)*(a*)*(a*)*\\1\\2\\3c"

    async def play() -> None:
        async with speaking(live) as hers, speaking(live) as his:
            assert await followed(hers, ann, {**SAID, "filter": pattern}) == "Subscribed to PostgreSQL"
            await followed(his, bob, SAID)
            things.execute("insert into live_test.things (\"Key 1\", k2, t) values (1, 'a', repeat('a', 3000) || 'c')")
            assert (await told(his))["record"]["k2"] == "a"
            assert "filter" in (await hers.hear("system"))["payload"]["message"]
            await hers.hear("phx_close")

    anyio.run(play)


@pytest.mark.parametrize(
    ("text", "value", "negated"),
    [
        ("a=eq.b", "b", False),
        ("a=not.eq.b.c=d", "b.c=d", True),
        ('a=eq."b,c"', "b,c", False),
        ('a=eq."say \\"hi\\" \\\\ bye"', 'say "hi" \\ bye', False),
        ('a=eq."b"c', '"b"c', False),
        ('a=eq.b"c', 'b"c', False),
        ('a=eq."', '"', False),
        ("a=eq.", "", False),
        ("a=eq.(x,y)", "(x,y)", False),
    ],
)
def test_values_are_read_as_clients_quote_them(text: str, value: str, negated: bool) -> None:
    assert parse_filter(text) == (Condition("a", "eq", value, negated),)
    assert parse_filter(f"b=is.null,{text}")[1:] == (Condition("a", "eq", value, negated),)


@pytest.mark.parametrize("text", ["=eq.1", "a=eq", "a", "a=not.1", ",a=eq.1", "a=eq.1,", "a=in.)", "a=is.5"])
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="`filter`"):
        parse_filter(text)
