"""The one question about a batch of changes to a table: which of these rows does somebody see, and what do filters say.

It is asked as the person, so that the policies answer. Postgres itself reads the values, compares them and writes the
records, so they are of exactly the types that the table's columns have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from aico.core.errors import InvalidInput
from aico.embedded.realtime.filters import COMPARISONS, PATTERNS, Condition, Filter
from aico.embedded.realtime.pgoutput import Row


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str  # for a cast, qualified where it must be
    type_name: str  # short, as it is told to clients


@dataclass(frozen=True, slots=True)
class Table:
    """As one role sees it."""

    schema: str
    name: str
    key: tuple[str, ...]  # columns of the primary key; none: nothing of it can be told
    columns: tuple[Column, ...]  # that the role may read

    @property
    def named(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @property
    def identifier(self) -> sql.Composable:
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Query:
    text: sql.Composed
    params: list[Any]


def visible_rows(table: Table, rows: Sequence[Row], filters: Sequence[Filter]) -> Query:
    """Gives for each row that is seen its place in `rows`, its record as JSON text, and whether each filter matches."""
    places = {column.name: number for number, column in enumerate(table.columns)}
    absent = [sum(1 << number for name, number in places.items() if name not in row) for row in rows]
    lists = [[row.get(column.name) for row in rows] for column in table.columns]
    conditions, params = _matches(table, filters)
    query = sql.SQL(
        "select w.place, to_jsonb(r)::text as record, array[{filters}]::boolean[] as matches"
        " from unnest(%s::int[], %s::numeric[], {lists}) as w (place, absent, {names})"
        " join {table} t on {key}"
        " cross join lateral (select {values}) as r order by w.place"
    ).format(
        filters=sql.SQL(", ").join(conditions),
        lists=sql.SQL(", ").join([sql.SQL("%s::text[]")] * len(lists)),
        names=sql.SQL(", ").join(_raw(number) for number in places.values()),
        table=table.identifier,
        key=sql.SQL(" and ").join(
            sql.SQL("t.{} = w.{}::{}").format(
                sql.Identifier(name),
                _raw(places[name]),
                sql.SQL(table.named[name].type),
            )
            for name in table.key
        ),
        values=sql.SQL(", ").join(_value(column, places[column.name], any(absent)) for column in table.columns),
    )
    return Query(query, [*params, list(range(len(rows))), absent, *lists])


def trial(table: Table, wanted: Filter) -> Query:
    """Fails where a filter can never be asked of this table: Postgres reads the types and the patterns."""
    conditions, params = _matches(table, [wanted])
    patterns = [condition for condition in wanted if condition.operator in {"match", "imatch"}]
    query = sql.SQL("select {conditions} from (select {nulls}) as r").format(
        conditions=sql.SQL(", ").join([*conditions, *([sql.SQL("'' ~ %s")] * len(patterns))]),
        nulls=sql.SQL(", ").join(
            sql.SQL("null::{} as {}").format(sql.SQL(column.type), sql.Identifier(column.name))
            for column in table.columns
        ),
    )
    return Query(query, [*params, *(pattern.value for pattern in patterns)])


def _raw(number: int) -> sql.Identifier:
    return sql.Identifier(f"c{number}")


def _value(column: Column, number: int, some_absent: bool) -> sql.Composed:  # noqa: FBT001 # of the batch
    """As it was logged; what the log left out has not changed, so it is as it stands."""
    name, read = sql.Identifier(column.name), sql.SQL("w.{}::{}").format(_raw(number), sql.SQL(column.type))
    if some_absent:
        bit = sql.Literal(1 << number)
        read = sql.SQL("case when mod(div(w.absent, {}), 2) = 1 then t.{} else {} end").format(bit, name, read)
    return sql.SQL("{} as {}").format(read, name)


def _matches(table: Table, filters: Sequence[Filter]) -> tuple[list[sql.Composable], list[Any]]:
    """What is null matches nothing."""
    known, params = table.named, []
    matches: list[sql.Composable] = []
    for wanted in filters:
        parts: list[sql.Composable] = []
        for condition in wanted:
            if condition.column not in known:
                raise InvalidInput(f"invalid column for filter {condition.column}")
            part, values = _condition(condition, known[condition.column])
            parts.append(part)
            params.extend(values)
        matches.append(sql.SQL("coalesce({}, false)").format(sql.SQL(" and ").join(parts)))
    return matches, params


def _condition(condition: Condition, column: Column) -> tuple[sql.Composable, list[str]]:
    name, kind = sql.Identifier("r", column.name), sql.SQL(column.type)
    values = [condition.value]
    if condition.operator in COMPARISONS:
        part = sql.SQL("{} {} %s::{}").format(name, sql.SQL(COMPARISONS[condition.operator]), kind)
    elif condition.operator in PATTERNS:
        part = sql.SQL("{} {} %s").format(name, sql.SQL(PATTERNS[condition.operator]))
    elif condition.operator == "in":
        part = sql.SQL("{} = any(%s::{}[])").format(name, kind)
    elif condition.operator == "isdistinct":
        part = sql.SQL("{} is distinct from %s::{}").format(name, kind)
    else:
        part, values = sql.SQL("{} is {}").format(name, sql.SQL(condition.value.lower())), []
    return (sql.SQL("not ({})").format(part) if condition.negated else part), values
