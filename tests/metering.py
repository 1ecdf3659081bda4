"""Jobs that have ended in all ways that there are, booked as the record worker does it, and what is shown of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

import psycopg
from conftest import Tenant
from psycopg.types.json import Jsonb

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline, Policy
from aico.core.ids import new_id
from aico.core.usage import Usage
from aico.store import ledger, metrics
from aico.store.blocking import Database
from aico.store.metrics import Told
from aico.store.scope import Scope
from aico.store.statement import Statement

Connection = psycopg.Connection[dict[str, Any]]


_began = [datetime.now(UTC)]


def now() -> datetime:
    """When the test began: one moment for all of it, and not long ago when figures of seconds are looked at."""
    return _began[0]


# As Realtime has it, where this Postgres has none: a row in `realtime.messages`.
_SEND = """
create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
language sql as $$
  insert into realtime.messages (topic, extension, event, payload, private)
  values (topic, 'broadcast', event, payload, private)
$$
"""


@contextmanager
def realtime(admin: Connection) -> Iterator[None]:
    """With a function that sends."""
    sends = "select to_regprocedure('realtime.send(jsonb, text, text, boolean)') is null as missing"
    row = admin.execute(sends).fetchone()
    missing = row is not None and row["missing"]
    if missing:
        admin.execute(_SEND)
    yield
    if missing:
        admin.execute("drop function realtime.send")


def call(cents: str | None = "1", **changes: Any) -> Attempt:
    made = Attempt(
        id=new_id(),
        at=now(),
        kind=AttemptKind.CALL,
        outcome=AttemptOutcome.OK,
        provider="local",
        model="small",
        latency_ms=40,
        usage=Usage(input_uncached=100, cache_read=20, output=50),
        cost_cents=None if cents is None else Decimal(cents),
    )
    return made.model_copy(update=changes)


def failed(cents: str | None = "0", **changes: Any) -> Attempt:
    return call(cents, **{"outcome": AttemptOutcome.RETRYABLE, "usage": Usage(), **changes})


@dataclass(frozen=True)
class Board:
    """Of one tenant."""

    database: Database
    tenant: Tenant
    admin: Connection

    @classmethod
    def fresh(cls, database: Database, tenant: Tenant, admin: Connection) -> Self:
        """For a test that begins."""
        _began[0] = datetime.now(UTC)
        return cls(database, tenant, admin)

    def run(self, statement: Statement[Any]) -> list[Any]:
        return self.database.run(Scope.tenant(self.tenant.id), statement)

    def ended(
        self,
        *attempts: Attempt,
        tags: Sequence[str] = (),
        took_ms: float = 100,
        job_class: str = "interactive",
        status: str = "completed",
        baseline: str | None = "4",
        strategy: str = "complexity",
        concludes: bool = True,
    ) -> UUID:
        """A job, and its attempts in the outbox; the last one ended it."""
        job, last = new_id(), attempts[-1]
        self.admin.execute(
            "insert into jobs (id, tenant_id, status, stage, class, cache_mode, request, namespace, fingerprint,"
            " deadline, tags, created_at, finished_at) values (%s, %s, %s, 'route', %s, 'off', '{}', '', '', now(), %s,"
            " now() - %s, now())",
            (job, self.tenant.id, status, job_class, list(tags), timedelta(milliseconds=took_ms)),
        )
        policy = Policy(strategy=strategy)
        events = [ledger.event_row(self.tenant.id, job, None, attempt, policy) for attempt in attempts]
        if concludes:
            counted = None if baseline is None else Baseline(model="b", cost_cents=Decimal(baseline))
            events[-1] |= ledger.conclusion(last, counted)
        query = "insert into ledger_outbox select * from jsonb_populate_recordset(null::ledger_outbox, %s)"
        self.admin.execute(query, (Jsonb(events),))
        return job

    def book(self, *jobs: UUID) -> None:
        self.run(ledger.book([self.tenant.id], jobs))

    def booked(self, *attempts: Attempt, **said: Any) -> None:
        self.book(self.ended(*attempts, **said))

    def rows(self, grain: str, dimension: str) -> list[dict[str, Any]]:
        return self.admin.execute(
            "select * from metric_rollups where tenant_id = %s and grain = %s and dimension = %s order by bucket, name",
            (self.tenant.id, grain, dimension),
        ).fetchall()

    def sums(self, grain: str, dimension: str, column: str) -> dict[str, Any]:
        """By name."""
        found: dict[str, Any] = {}
        for row in self.rows(grain, dimension):
            found[row["name"]] = found.get(row["name"], 0) + row[column]
        return found

    def tell(self) -> Told:
        """As if half a second had passed since this tenant's last tick."""
        self.admin.execute(
            "update metric_ticks set told_at = told_at - interval '1 second' where tenant_id = %s", (self.tenant.id,)
        )
        return self.tell_at_once()

    def tell_at_once(self) -> Told:
        return self.database.run(Scope.system(), metrics.tell(limit=10_000))[0]

    def tell_by(self, connection: Connection) -> None:
        """Within its transaction."""
        connection.execute(metrics.tell(limit=10_000).sql.encode(), {"limit": 10_000})

    def ticks(self) -> list[dict[str, Any]]:
        """Those that were sent, oldest first."""
        rows = self.admin.execute(
            "select event, private, payload from realtime.messages where topic = %s"
            " order by (payload ->> 'seq')::integer",
            (f"tenant:{self.tenant.id}:metrics",),
        ).fetchall()
        assert all((row["event"], row["private"]) == ("tick", True) for row in rows)
        return [row["payload"] for row in rows]

    def told(self) -> dict[str, dict[str, Any]]:
        """What a client knows that has heard all ticks: each second as it was told last."""
        return {second["at"]: second for tick in self.ticks() for second in tick["seconds"]}
