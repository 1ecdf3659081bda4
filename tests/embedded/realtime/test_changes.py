"""What is told of a change: which columns, which values, and to whom, whatever the table is like."""

import json
from collections.abc import Iterator
from typing import Any

import anyio
import psycopg
import pytest
from conftest import new_tenant
from embedded.realtime.conftest import Live, Person, Serve
from embedded.realtime.speaking import Line, speaking

from aico.core.errors import InvalidInput
from aico.embedded.realtime.filters import Condition, parse_filter
from aico.embedded.realtime.limits import Limits
from aico.store.blocking import Database

THINGS = """
create schema live_test;
grant usage on schema live_test to authenticated, anon;
create type live_test.mood as enum ('sad', 'ok', 'happy');
create table live_test.things (
  "Key 1" int, k2 text, n numeric, f float8, b boolean, t text, u uuid, at timestamptz, j jsonb, a int[],
  mood live_test.mood, secret text, gone int, primary key (k2, "Key 1"));
alter table live_test.things drop column gone, alter column t set storage external;
alter table live_test.things enable row level security;
create policy everybody on live_test.things for select to authenticated using (coalesce(t, '') not like 'hidden%');
grant select ("Key 1", k2, n, f, b, t, u, at, j, a, mood) on live_test.things to authenticated;
create table live_test.keyless (n int);
grant select on live_test.keyless to authenticated;
create table live_test.unread (id int primary key);
create table live_test.untold (id int primary key);
grant select on live_test.untold to authenticated;
alter publication supabase_realtime add table live_test.things, live_test.keyless, live_test.unread;
"""
ROW = (
    "insert into live_test.things values (1, 'é \"q\"', 12.50, 0.1, true, 'héllo, (x)',"
    " '0b7e8cb5-8a43-4c4f-9a9b-6b8d2f0f1c11', '2026-11-26 09:00:00.25+02', '{\"a\": [1, null]}', '{1,2}', 'ok', 'hush')"
)
SAID = {"schema": "live_test", "table": "things"}


@pytest.fixture
def things(live: Live) -> Iterator[psycopg.Connection[Any]]:
    live.database.execute(THINGS.encode())
    yield live.database
    live.database.execute("drop schema live_test cascade")


async def told(line: Line) -> dict[str, Any]:
    said = (await line.hear("postgres_changes"))["payload"]
    return {**said["data"], "ids": said["ids"]}


async def followed(line: Line, person: Person, *wanted: dict[str, Any]) -> str:
    """What the server says to it."""
    answer = await line.join("things", person, postgres_changes=list(wanted))
    assert answer["response"]["postgres_changes"] == [{**each, "id": number} for number, each in enumerate(wanted, 1)]
    return str((await line.hear("system"))["payload"]["message"])


def test_values_have_the_types_of_their_columns_and_only_readable_columns_are_told(
    live: Live, ann: Person, things: psycopg.Connection[Any]
) -> None:
    async def play() -> None:
        async with speaking(live) as line:
            assert await followed(line, ann, SAID) == "Subscribed to PostgreSQL"
            things.execute(ROW)
            change = await told(line)
            assert change["record"] == {
                "Key 1": 1,
                "k2": 'é "q"',
                "n": 12.5,
                "f": 0.1,
                "b": True,
                "t": "héllo, (x)",
                "u": "0b7e8cb5-8a43-4c4f-9a9b-6b8d2f0f1c11",
                "at": "2026-11-26T07:00:00.25+00:00",
                "j": {"a": [1, None]},
                "a": [1, 2],
                "mood": "ok",
            }
            types = {column["name"]: column["type"] for column in change["columns"]}
            assert types.keys() == change["record"].keys()
            assert (types["n"], types["at"], types["a"], types["mood"]) == ("numeric", "timestamptz", "_int4", "mood")
            assert (change["type"], change["errors"], change["commit_timestamp"][-1]) == ("INSERT", None, "Z")

    anyio.run(play)


def test_a_change_that_leaves_a_large_value_as_it_was_is_told_with_that_value(
    live: Live, ann: Person, things: psycopg.Connection[Any]
) -> None:
    async def play() -> None:
        async with speaking(live) as line:
            await followed(line, ann, {**SAID, "event": "UPDATE"})
            things.execute("insert into live_test.things (\"Key 1\", k2, n, t) values (1, 'a', 1, repeat('x', 10000))")
            things.execute("update live_test.things set n = 2")
            change = await told(line)
            assert (change["record"]["n"], len(change["record"]["t"])) == (2, 10_000)
            assert change["old_record"] == {"k2": "a", "Key 1": 1}
            things.execute("update live_test.things set k2 = 'b'")
            assert (await told(line))["record"]["k2"] == "b"

    anyio.run(play)


def test_rows_that_policies_hide_and_rows_that_are_gone_are_not_told(
    live: Live, ann: Person, things: psycopg.Connection[Any]
) -> None:
    async def play() -> None:
        async with speaking(live) as line:
            await followed(line, ann, SAID, {"schema": "live_test"})
            with things.transaction():
                things.execute("insert into live_test.things (\"Key 1\", k2, t) values (1, 'a', 'hidden')")
                things.execute("insert into live_test.things (\"Key 1\", k2, t) values (2, 'a', 'brief')")
                things.execute('delete from live_test.things where "Key 1" = 2')
                things.execute("insert into live_test.keyless values (1)")
                things.execute("insert into live_test.unread values (1)")
                things.execute("insert into live_test.untold values (1)")
                things.execute("insert into live_test.things (\"Key 1\", k2, t) values (4, 'a', 'seen')")
            assert (await told(line))["record"]["t"] == "seen"
            things.execute("update live_test.things set t = 'shown' where \"Key 1\" = 1")
            change = await told(line)
            assert (change["type"], change["record"]["t"], change["ids"]) == ("UPDATE", "shown", [1, 2])
            things.execute("delete from live_test.things")
            things.execute("insert into live_test.things (\"Key 1\", k2) values (3, 'last')")
            assert (await told(line))["record"]["k2"] == "last"

    anyio.run(play)


def test_a_table_that_is_altered_is_told_as_it_is_from_then_on(
    live: Live, ann: Person, things: psycopg.Connection[Any]
) -> None:
    async def play() -> None:
        async with speaking(live) as line:
            await followed(line, ann, SAID)
            things.execute("insert into live_test.things (\"Key 1\", k2) values (1, 'a')")
            assert "later" not in (await told(line))["record"]
            things.execute("alter table live_test.things add column later int default 5, drop column n")
            things.execute("grant select (later) on live_test.things to authenticated")
            things.execute("insert into live_test.things (\"Key 1\", k2) values (2, 'a')")
            change = await told(line)
            assert change["record"]["later"] == 5
            assert "n" not in change["record"]

    anyio.run(play)


def test_of_a_row_that_is_too_large_small_values_are_told(
    serve_live: Serve, database: Database, things: psycopg.Connection[Any]
) -> None:
    with serve_live(limits=Limits(change_bytes=500)) as live:
        eve = live.join(new_tenant(database).id)

        async def play() -> None:
            async with speaking(live) as line:
                await followed(line, eve, SAID)
                things.execute("insert into live_test.things (\"Key 1\", k2, t) values (1, 'a', repeat('x', 1000))")
                change = await told(line)
                assert change["errors"] == ["Error 413: Payload Too Large"]
                assert "t" not in change["record"]
                assert change["record"]["k2"] == "a"

        anyio.run(play)


def test_a_large_transaction_is_told_whole_and_in_order(
    live: Live, ann: Person, things: psycopg.Connection[Any]
) -> None:
    async def play() -> None:
        async with speaking(live) as line:
            await followed(line, ann, {**SAID, "select": ["Key 1"]})
            things.execute("insert into live_test.things (\"Key 1\", k2) select g, 'a' from generate_series(1, 1900) g")
            numbers = [(await told(line))["record"] for _ in range(1900)]
            assert numbers == [{"Key 1": number} for number in range(1, 1901)]

    anyio.run(play)


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
