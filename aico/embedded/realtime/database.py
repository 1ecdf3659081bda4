"""What is asked of the database about people: what they may hear, and what they see of a change."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from aico.core.errors import InvalidInput, Unavailable
from aico.embedded.realtime.credentials import Holder
from aico.embedded.realtime.filters import Filter
from aico.embedded.realtime.joining import ANY, Binding
from aico.embedded.realtime.pgoutput import Row
from aico.embedded.realtime.visibility import Column, Table, trial, visible_rows
from aico.store.connection import connect_arguments

PUBLICATION = "supabase_realtime"
_STATEMENT_MS = 1500  # a filter that takes longer is given up, and its channel closed
_POOL_SECONDS = 5

_ENTER = (
    "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true),"
    " set_config('realtime.topic', %s, true)"
)
_SIGNED_IN = "select realtime.signed_in(%s, %s) as lives"
_PUT = "select realtime.put_probe(%s) as id"
_HEARD = "select exists (select from realtime.messages where id = %s) as heard"
_SAID = "insert into realtime.messages (topic, extension, private) values (%s, 'broadcast', true)"
_PUBLISHED = "select exists (select from pg_publication_tables where pubname = %s and {}) as published"
_DESCRIBE = """
select a.attname as name, format_type(a.atttypid, null) as type, t.typname as type_name,
  a.attnum = any (coalesce(i.indkey::int2[], '{}')) as in_key,
  has_column_privilege(%(role)s, a.attrelid, a.attnum, 'select') as readable
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid
left join pg_index i on i.indrelid = c.oid and i.indisprimary
where n.nspname = %(schema)s and c.relname = %(table)s
order by a.attnum
"""


@dataclass(frozen=True, slots=True)
class Seen:
    place: int
    record: str  # JSON
    matches: tuple[bool, ...]


class Refused(Exception):
    """A question that Postgres does not answer: a filter that fits no value, or takes too long."""


class Database:
    def __init__(self, url: str, *, max_size: int = 4) -> None:
        settings = {**connect_arguments("aico-realtime"), "options": f"-c statement_timeout={_STATEMENT_MS}"}
        self._pool = AsyncConnectionPool(
            url, min_size=1, max_size=max_size, timeout=_POOL_SECONDS, kwargs=settings, open=False
        )

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    async def signed_in(self, holder: Holder) -> bool:
        """Whether the sign-in that the token is of has not ended; true of who is nobody."""
        if holder.person is None:
            return True
        async with self._transaction() as connection:
            return await _says(connection, _SIGNED_IN, holder.session, holder.person)

    async def may_hear(self, holder: Holder, topic: str) -> bool:
        """As hosted Realtime asks: a row of the topic is put there, looked at as the person, and taken back."""
        async with self._transaction() as connection:
            if holder.person is not None and not await _says(connection, _SIGNED_IN, holder.session, holder.person):
                return False
            row = await (await connection.execute(_PUT, (topic,))).fetchone()
            await _enter(connection, holder, topic)
            try:
                return await _says(connection, _HEARD, row and row["id"])
            except psycopg.errors.InsufficientPrivilege:
                return False

    async def may_speak(self, holder: Holder, topic: str) -> bool:
        async with self._transaction() as connection:
            await _enter(connection, holder, topic)
            try:
                await connection.execute(_SAID, (topic,))
            except psycopg.errors.InsufficientPrivilege:
                return False
            return True

    async def check(self, holder: Holder, binding: Binding) -> None:
        """Raises InvalidInput where nothing can come of what a channel asks for."""
        async with self._transaction() as connection:
            named = {"schemaname": binding.schema, "tablename": binding.table}
            wanted = {column: value for column, value in named.items() if value != ANY}
            where = " and ".join(["true", *(f"{column} = %s" for column in wanted)])
            if not await _says(connection, _PUBLISHED.format(where), PUBLICATION, *wanted.values()):
                raise InvalidInput(
                    "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the"
                    f" given connect parameters: [schema: {binding.schema}, table: {binding.table}]"
                )
            if ANY in named.values():
                return
            table = await _described(connection, binding.schema, binding.table, holder.role)
            unknown = set(binding.select) - table.named.keys()
            if unknown:
                raise InvalidInput(f"invalid column for select {min(unknown)}")
            if binding.filter:
                query = trial(table, binding.filter)
                await _enter(connection, holder)
                try:
                    await connection.execute(query.text, query.params)
                except (psycopg.ProgrammingError, psycopg.DataError, psycopg.errors.QueryCanceled) as error:
                    raise InvalidInput(f"invalid filter: {error.diag.message_primary or 'a value'}") from error

    async def describe(self, schema: str, table: str, role: str) -> Table:
        async with self._transaction() as connection:
            return await _described(connection, schema, table, role)

    async def see(self, holder: Holder, table: Table, rows: Sequence[Row], filters: Sequence[Filter]) -> list[Seen]:
        """Raises Refused."""
        query = visible_rows(table, rows, filters)
        async with self._transaction() as connection:
            await _enter(connection, holder)
            try:
                found = await (await connection.execute(query.text, query.params)).fetchall()
            except psycopg.errors.InsufficientPrivilege:
                return []
            except (psycopg.errors.QueryCanceled, psycopg.ProgrammingError, psycopg.DataError) as error:
                raise Refused("the filter cannot be asked of this table") from error
        return [Seen(row["place"], row["record"], tuple(row["matches"])) for row in found]

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection[dict[str, Any]]]:
        """Nothing that is done here stays. Raises Unavailable where no database answers in time."""
        try:
            async with self._pool.connection() as connection:
                connection.row_factory = dict_row  # type: ignore[assignment]
                async with connection.transaction(force_rollback=True):
                    yield connection  # type: ignore[misc]
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            await self._pool.check()
            raise Unavailable("the database does not answer") from error


async def _enter(connection: AsyncConnection[dict[str, Any]], holder: Holder, topic: str = "") -> None:
    await connection.execute(_ENTER, (holder.role, holder.claims, topic))


async def _says(connection: AsyncConnection[dict[str, Any]], question: str, *params: Any) -> bool:
    row = await (await connection.execute(question.encode(), params)).fetchone()
    return row is not None and next(iter(row.values())) is True


async def _described(connection: AsyncConnection[dict[str, Any]], schema: str, table: str, role: str) -> Table:
    params = {"schema": schema, "table": table, "role": role}
    rows = await (await connection.execute(_DESCRIBE, params)).fetchall()
    readable = tuple(Column(row["name"], row["type"], row["type_name"]) for row in rows if row["readable"])
    key = tuple(row["name"] for row in rows if row["in_key"])
    return Table(schema, table, key if {column.name for column in readable} >= set(key) else (), readable)
