"""What is told of a change: which columns, which values, and to whom, whatever the table is like."""

from typing import Any

import anyio
import psycopg
from conftest import new_tenant
from embedded.realtime.conftest import Live, Person, Serve
from embedded.realtime.following import ROW, SAID, followed, things, told
from embedded.realtime.speaking import speaking

from aico.embedded.realtime.limits import Limits
from aico.store.blocking import Database

__all__ = ["things"]


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


def test_a_filter_whose_column_has_gone_ends_its_own_channel_and_no_other(
    live: Live, ann: Person, bob: Person, things: psycopg.Connection[Any]
) -> None:
    async def play() -> None:
        async with speaking(live) as hers, speaking(live) as his:
            await followed(hers, ann, {**SAID, "filter": "n=gt.1"})
            await followed(his, bob, SAID)
            things.execute("alter table live_test.things drop column n")
            things.execute("insert into live_test.things (\"Key 1\", k2) values (1, 'a')")
            assert (await told(his))["record"]["k2"] == "a"
            await hers.hear("phx_close")
            things.execute("insert into live_test.things (\"Key 1\", k2) values (2, 'b')")
            assert (await told(his))["record"]["k2"] == "b"

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
