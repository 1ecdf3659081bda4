"""The API's runner: the same contract as the workers', awaited."""

from collections.abc import Sequence
from typing import TypeVar

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from aico.core.errors import Unavailable
from aico.store.connection import TRIES, closed_on_error_async, configure_async, connect_arguments
from aico.store.scope import ENTER, Scope
from aico.store.statement import Statement

T = TypeVar("T")


class AsyncDatabase:
    def __init__(self, url: str, *, max_size: int = 8, application: str = "aico-api") -> None:
        self._pool = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=max_size,
            timeout=5,
            kwargs=connect_arguments(application),
            configure=configure_async,
            open=False,
        )

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    async def run(self, scope: Scope, statement: Statement[T]) -> list[T]:
        return (await self.run_each([(scope, statement)]))[0]

    async def run_each(self, work: Sequence[tuple[Scope, Statement[T]]]) -> list[list[T]]:
        """See `blocking.Database.run_each`."""
        for _ in range(TRIES):
            try:
                return await self._transaction(work)
            except psycopg.errors.DeadlockDetected as error:
                deadlock = error
        raise Unavailable("the database is too busy") from deadlock

    async def _transaction(self, work: Sequence[tuple[Scope, Statement[T]]]) -> list[list[T]]:
        try:
            async with (
                self._pool.connection() as connection,
                closed_on_error_async(connection),
                connection.pipeline(),
            ):
                cursors = []
                for scope, statement in work:
                    await connection.execute(ENTER, scope.params)
                    cursor = connection.cursor(row_factory=dict_row)
                    cursors.append(await cursor.execute(statement.sql, statement.params))
            return [
                [statement.parse(row) for row in await cursor.fetchall()] if cursor.description else []
                for (_, statement), cursor in zip(work, cursors, strict=True)
            ]
        except psycopg.errors.DeadlockDetected:
            raise  # the server is there: this is no outage
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            await self._pool.check()
            raise Unavailable("the database does not answer") from error
