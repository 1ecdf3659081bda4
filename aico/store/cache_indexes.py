"""Approximate indexes over the vectors of single namespaces: made, measured and dropped by the tables' owner.

The service's own role owns nothing and may not. What is done here is done outside transactions, on a connection of its
own, and by one process at a time.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from aico.core.cache_index import DEPTH, SAMPLE, SHRUNK, IndexState, Scope, Standing, Trial
from aico.core.errors import InvalidInput, Unavailable
from aico.store.migrate import OWNER
from aico.store.statement import named_sql

_SQL = named_sql("cache_indexes")
_LOCK = 4_157_105  # any constant but the migrations'
_PREFIX = "cache_near_"  # `orphans` knows it too
_LEAST_MEMORY_KB, _MOST_MEMORY_KB, _ROW_KB = 64 * 1024, 1024 * 1024, 2  # a row takes some 1.3 while a graph is built
_GAVE_UP = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
_NOT_THERE = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName)
_CREATE = sql.SQL(
    "create index concurrently {name} on public.cache_vectors using hnsw (embedding extensions.halfvec_ip_ops)"
    " with (m = 16, ef_construction = 128)"
    " where tenant_id = {tenant} and namespace = {namespace} and model = {model}"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of an index beside its standing. `recall` in [0, 1]."""

    standing: Standing
    recall: float | None
    recall_8: float | None
    built_at: datetime | None
    bytes: int | None


def index_name(scope: Scope) -> str:
    """The tenant's id, and a digest of the rest: letters, digits and underscores, at most 63."""
    rest = hashlib.sha256(scope.namespace + scope.model.encode()).hexdigest()
    return f"{_PREFIX}{scope.tenant.hex}_{rest[:12]}"


class Indexer:
    def __init__(self, connection: psycopg.Connection[DictRow]) -> None:
        self._connection = connection

    def cancel(self) -> None:
        """Break off what is under way, from another thread. A build leaves an index that is not whole behind."""
        self._connection.cancel_safe()

    def survey(self, least_rows: int) -> list[Kept]:
        """Every namespace that is large enough to have an index or to keep one, and every record."""
        rows = self._connection.execute(_SQL["survey"], {"least": int(least_rows * SHRUNK)})
        return [_kept(row) for row in rows]

    def build(self, standing: Standing) -> bool:
        """Without keeping anybody from writing. Whatever stood under this name is dropped first.

        False where the tenant is gone. Raises Unavailable where Postgres gave it up; then nothing is left behind for
        every insert to fill in vain, unless it was told to.
        """
        scope, name = standing.scope, index_name(standing.scope)
        try:
            self._run("begin", scope, name=name, rows=standing.rows)
        except psycopg.errors.ForeignKeyViolation:
            return False
        self._drop(name)
        try:
            self._create(standing, name)
        except _GAVE_UP as error:
            if self._connection.closed or isinstance(error, psycopg.errors.QueryCanceled):
                raise
            self._drop(name)
            raise _gave_up(error) from error
        self._run("built", scope)
        return True

    def _create(self, standing: Standing, name: str) -> None:
        scope = standing.scope
        memory = min(max(standing.rows * _ROW_KB, _LEAST_MEMORY_KB), _MOST_MEMORY_KB)
        self._connection.execute("select set_config('maintenance_work_mem', %s, false)", (f"{memory}kB",))
        self._connection.execute(
            _CREATE.format(
                name=sql.Identifier(name),
                tenant=sql.Literal(scope.tenant),
                namespace=sql.Literal(scope.namespace),
                model=sql.Literal(scope.model),
            )
        )

    def trials(self, scope: Scope) -> list[Trial]:
        """Both searches, for a sample of the namespace's own vectors."""
        rows = self._run("trials", scope, sample=SAMPLE, depth=DEPTH)
        return [Trial(row["exact"], row["by_index"]) for row in rows]

    def decide(self, standing: Standing, state: IndexState, *, recall: float | None, recall_8: float | None) -> None:
        """From now on it is searched, or it is no longer there."""
        self._run("decide", standing.scope, state=state.value, rows=standing.rows, recall=recall, recall_8=recall_8)
        if state is IndexState.REJECTED:
            self._drop(index_name(standing.scope))

    def give_up(self, scope: Scope) -> None:
        self._run("forget", scope)
        self._drop(index_name(scope))

    def drop_orphans(self) -> list[str]:
        """Of tenants that are gone, or that a crash left. Returns their names."""
        names = [row["name"] for row in self._connection.execute(_SQL["orphans"])]
        for name in names:
            self._drop(name)
        return names

    def _drop(self, name: str) -> None:
        command = sql.SQL("drop index concurrently if exists public.{}").format(sql.Identifier(name))
        self._connection.execute(command)

    def _run(self, statement: str, scope: Scope, **params: Any) -> psycopg.Cursor[DictRow]:
        whose = {"tenant": scope.tenant, "namespace": scope.namespace, "model": scope.model}
        return self._connection.execute(_SQL[statement], {**whose, **params})


@contextmanager
def indexer(admin_url: str) -> Iterator[Indexer | None]:
    """None while another process has it. `admin_url` is that of the tables' owner, or of whoever may act as such.

    Raises InvalidInput where it may not or pgvector is older than 0.8, and Unavailable where Postgres does not answer,
    gave up what it was told to do, or is yet to be migrated.
    """
    try:
        with psycopg.connect(admin_url, autocommit=True, row_factory=dict_row, connect_timeout=5) as connection:
            _prepare(connection)
            locked = connection.execute("select pg_try_advisory_lock(%s) as got", (_LOCK,)).fetchone()
            yield Indexer(connection) if locked and locked["got"] else None
    except (*_GAVE_UP, *_NOT_THERE) as error:
        raise _gave_up(error) from error


def _gave_up(error: psycopg.Error) -> Unavailable:
    return Unavailable(f"the database did not do it: {type(error).__name__}")


def _prepare(connection: psycopg.Connection[DictRow]) -> None:
    """As the owner, who is no superuser; in one process, so that builds leave cores and shared memory to others."""
    connection.execute("set statement_timeout = 0")
    connection.execute("set lock_timeout = 0")
    connection.execute("set max_parallel_maintenance_workers = 0")
    if connection.execute(
        "select from pg_roles where rolname = %s and pg_has_role(oid, 'member')", (OWNER,)
    ).fetchone():
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER)))
    may = connection.execute(_SQL["may_build"]).fetchone()
    if may is None or not may["owns"]:
        raise InvalidInput("DATABASE_ADMIN_URL is not that of the owner of the tables")
    if not may["walks"]:
        raise InvalidInput("indexes of the cache need pgvector 0.8 or later")


def _kept(row: DictRow) -> Kept:
    standing = Standing(
        scope=Scope(row["tenant_id"], row["namespace"], row["model"]),
        rows=row["rows"],
        state=None if row["state"] is None else IndexState(row["state"]),
        decided_rows=row["decided_rows"],
        valid=row["valid"],
    )
    return Kept(standing, row["recall"], row["recall_8"], row["built_at"], row["bytes"])
