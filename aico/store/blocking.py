"""The workers' runner: one transaction a call, from a small pool that is safe to share between threads."""

from collections.abc import Sequence
from typing import TypeVar

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from aico.core.errors import Unavailable
from aico.store.connection import TRIES, closed_on_error, configure, connect_arguments
from aico.store.scope import ENTER, Scope
from aico.store.statement import Statement

T = TypeVar("T")


class Database:
    def __init__(self, url: str, *, max_size: int = 4, application: str = "aico") -> None:
        self._pool = ConnectionPool(
            url,
            min_size=1,
            max_size=max_size,
            timeout=10,
            kwargs=connect_arguments(application),
            configure=configure,
            open=False,
        )

    def open(self) -> None:
        self._pool.open()

    def close(self) -> None:
        self._pool.close()

    def run(self, scope: Scope, statement: Statement[T]) -> list[T]:
        return self.run_each([(scope, statement)])[0]

    def run_each(self, work: Sequence[tuple[Scope, Statement[T]]]) -> list[list[T]]:
        """Run all in one transaction, each under its own scope, in as few round trips as the driver can.

        Raises Unavailable when Postgres cannot be reached; nothing has then been committed, as far as is known. A
        transaction that Postgres gave up so that another could go on is run again.
        """
        for _ in range(TRIES):
            try:
                return self._transaction(work)
            except psycopg.errors.DeadlockDetected as error:
                deadlock = error
        raise Unavailable("the database is too busy") from deadlock

    def _transaction(self, work: Sequence[tuple[Scope, Statement[T]]]) -> list[list[T]]:
        try:
            # A pipeline on an autocommit connection is one implicit transaction, sent and answered at once.
            with self._pool.connection() as connection, closed_on_error(connection), connection.pipeline():
                cursors = []
                for scope, statement in work:
                    connection.execute(ENTER, scope.params)
                    cursor = connection.cursor(row_factory=dict_row)
                    cursors.append(cursor.execute(statement.sql, statement.params))
            return [
                [statement.parse(row) for row in cursor] if cursor.description else []
                for (_, statement), cursor in zip(work, cursors, strict=True)
            ]
        except psycopg.errors.DeadlockDetected:
            raise  # the server is there: this is no outage
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self._pool.check()  # the others may have died with it
            raise Unavailable("the database does not answer") from error
