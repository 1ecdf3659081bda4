"""Tables of all kinds, published for the time of a test, and a channel that follows them."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from embedded.realtime.conftest import Live, Person
from embedded.realtime.speaking import Line

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
