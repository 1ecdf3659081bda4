"""What Postgres says of the tenants under load, asked as its owner."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psutil
import psycopg

from bench.load import LoadFailed

WAITING = "select count(*) from public.ledger_outbox where tenant_id = any (%s)"  # rows that are not booked
RECORDED = "select count(*) from public.ledger_attempts where tenant_id = any (%s)"
UNTOLD = "select count(*) from public.metric_ticks where tenant_id = any (%s) and changed <> '{}'"  # tenants
_LAST = "select coalesce((select seq from public.metric_ticks where tenant_id = %s), 0)"
_SESSIONS = "select pid from pg_stat_activity where application_name like %s"
_SETTLE_SECONDS = 60
_LOOK_SECONDS = 0.02


class Ledger:
    def __init__(self, connection: "psycopg.Connection[Any]", tenants: Sequence[UUID]) -> None:
        """`connection` gives rows of one column as its value."""
        self._connection = connection
        self._tenants = list(tenants)

    def count(self, sql: str) -> int:
        """One of those above."""
        (number,) = self._ask(sql, self._tenants)
        return int(number)

    def last(self, tenant: UUID) -> int:
        """The sequence number of its latest tick; 0: there was none."""
        (number,) = self._ask(_LAST, tenant)
        return int(number)

    def sessions(self, application: str) -> list[psutil.Process]:
        """The processes of Postgres that serve it; a pattern."""
        return [psutil.Process(pid) for pid in self._ask(_SESSIONS, application)]

    def settle(self, sql: str) -> float:
        """Wait until it counts nothing; after how many seconds. Raises LoadFailed where that takes too long."""
        begun = time.monotonic()
        while left := self.count(sql):
            if time.monotonic() - begun > _SETTLE_SECONDS:
                raise LoadFailed(f"{left} were still left {_SETTLE_SECONDS} s after the load: {sql}")
            time.sleep(_LOOK_SECONDS)
        return time.monotonic() - begun

    def _ask(self, sql: str, what: object) -> list[Any]:
        return self._connection.execute(sql.encode(), (what,)).fetchall()
