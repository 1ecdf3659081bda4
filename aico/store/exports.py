"""Statements by which all that is a tenant's is read, table by table, and written into a file.

What is handed out is decided by what is not: a table that is added later is exported without a word about it here.
Hashes, ciphertexts and vectors never are: columns of bytes and vectors are left out of every table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from aico.store.data_requests import HeldRequest, fenced
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("exports")

TTL_SECONDS = 7 * 24 * 3600.0

LEFT_OUT: Mapping[str, str] = MappingProxyType(
    {
        "cache_indexes": "how the vectors of a large cache are searched",
        "cache_vectors": "numbers made of the prompts that are exported with their jobs",
        "file_chunks": "the bytes of files: download them at /v1/files/{file_id}/content",
    }
)
SECRET: Mapping[str, frozenset[str]] = MappingProxyType(
    {"webhook_endpoints": frozenset({"secret", "old_secrets"})}  # columns that only the service needs
)


@dataclass(frozen=True, slots=True)
class Table:
    """Of the schema `public`. `key` is its primary key without the tenant, `types` are those columns' types."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    types: tuple[str, ...]


def tables() -> Statement[Table]:
    """All that are exported, by name."""
    return Statement(_SQL["tables"], {}, _table)


def _table(row: Row) -> Table:
    hidden = SECRET.get(row["name"], frozenset())
    columns = tuple(column for column in row["columns"] if column not in hidden)
    return Table(row["name"], columns, tuple(row["key"]), tuple(row["types"]))


@dataclass(frozen=True, slots=True)
class Line:
    """A row as JSON, and its place in the order of the table."""

    text: str
    place: tuple[str, ...]


def page(tenant: UUID, table: Table, after: tuple[str, ...] | None, *, limit: int, max_bytes: int) -> Statement[Line]:
    """The next rows along the primary key: up to `limit`, fewer where their text exceeds `max_bytes` together."""
    names = [f"key_{number}" for number in range(len(table.key))]
    params: dict[str, Any] = {"tenant": tenant, "limit": limit, "bytes": max_bytes}
    beyond: sql.Composable = sql.SQL("true")
    if after is not None:
        params |= dict(zip(names, after, strict=True))
        beyond = _beyond(table, names)
    owner = "id" if table.name == "tenants" else "tenant_id"
    query = sql.SQL(_SQL["page"]).format(
        columns=_columns(table.columns),
        shown=sql.SQL(", ").join(sql.Identifier("s", name) for name in table.columns),
        texts=sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in table.key),
        key=_columns(table.key or (owner,)),
        owner=sql.Identifier(owner),
        table=sql.Identifier("public", table.name),
        beyond=beyond,
    )
    return Statement(query.as_string(), params, _line)


def _beyond(table: Table, names: list[str]) -> sql.Composable:
    """A tenant has one row of a table whose key is the tenant alone."""
    if not names:
        return sql.SQL("false")
    places = (
        sql.SQL("{}::{}").format(sql.Placeholder(name), sql.SQL(kind))
        for name, kind in zip(names, table.types, strict=True)
    )
    return sql.SQL("({}) > ({})").format(_columns(table.key), sql.SQL(", ").join(places))


def _columns(names: tuple[str, ...]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _line(row: Row) -> Line:
    return Line(row["text"], tuple(row["place"]))


def begin(held: HeldRequest, file: UUID) -> Statement[UUID]:
    """A new file, in place of one that an earlier attempt left. No row: the claim is lost."""
    params = {**fenced(held), "file": file, "former": held.file_id, "ttl": TTL_SECONDS}
    return Statement(_SQL["begin"], params, lambda row: row["id"])


def append(held: HeldRequest, file: UUID, position: int, data: bytes, counts: Mapping[str, int]) -> Statement[int]:
    """No row: the claim is lost, or the file is gone."""
    params = {**fenced(held), "file": file, "position": position, "data": data, "counts": Jsonb(dict(counts))}
    return Statement(_SQL["append"], params, lambda row: row["position"])


def complete(held: HeldRequest, file: UUID, size: int, sha256: str, counts: Mapping[str, int]) -> Statement[UUID]:
    """The file can be read, and the request has ended. No row: the claim is lost."""
    params: dict[str, Any] = {
        **fenced(held),
        "file": file,
        "bytes": size,
        "sha256": sha256,
        "counts": Jsonb(dict(counts)),
        "ttl": TTL_SECONDS,
    }
    return Statement(_SQL["complete"], params, lambda row: row["id"])


def note(tenant: UUID, actor: str, sha256: str) -> Statement[None]:
    """That an export was written elsewhere, by the operator."""
    return Statement(_SQL["note"], {"tenant": tenant, "actor": actor, "sha256": sha256}, no_row)
