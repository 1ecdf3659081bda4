"""A tenant's calls in the ledger, and prices for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from conftest import Tenant
from psycopg.types.json import Jsonb

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline, known_cost
from aico.core.ids import new_id
from aico.core.usage import Usage
from aico.store import ledger
from aico.store.blocking import Database
from aico.store.scope import Scope

MAY, JUNE = datetime(2026, 5, 20, 12, 30, tzinfo=UTC), datetime(2026, 6, 20, 12, 30, tzinfo=UTC)
MILLION = Usage(input_uncached=1_000_000)
PRICES = """
[[models]]
id = "house"
provider = "openai_compatible"
provider_model = "org/house"
quality = 0.5
context_window = 1000
max_output = 100

[[prices]]
provider = "openai_compatible"
model = "org/house"
from = 2026-05-01
until = 2026-06-01
input = "2"
output = "4"
cache_write_1h = "8"

[[prices]]
provider = "openai_compatible"
model = "org/house"
from = 2026-06-01
input = "1"
output = "4"
"""


def attempt(at: datetime = MAY, usage: Usage = MILLION, cents: str | None = None, **changes: Any) -> Attempt:
    made = Attempt(
        id=new_id(),
        at=at,
        kind=AttemptKind.CALL,
        outcome=AttemptOutcome.OK,
        provider="openai_compatible",
        model="house",
        latency_ms=5,
        usage=usage,
        cost_cents=None if cents is None else Decimal(cents),
        price_version=None if cents is None else "then",
    )
    return made.model_copy(update=changes)


@dataclass(frozen=True)
class Books:
    """Of one tenant."""

    database: Database
    admin: psycopg.Connection[dict[str, Any]]
    tenant: Tenant

    @property
    def name(self) -> str:
        return f"tenant {self.tenant.id}"

    def book(self, *attempts: Attempt, baseline: Baseline | None = None, arms: Sequence[str] = ()) -> None:
        """As attempts of one job; with arms, the last one tells them what all have cost."""
        job, spent = new_id(), known_cost(attempts)
        events = [
            ledger.event_row(self.tenant.id, job, None, one) | ledger.conclusion(one, baseline) for one in attempts
        ]
        events[-1] |= ledger.conclusion(attempts[-1], baseline, arms, spent)
        query = (
            "insert into public.ledger_outbox select * from jsonb_populate_recordset(null::public.ledger_outbox, %s)"
        )
        self.admin.execute(query, (Jsonb(events),))
        self.database.run(Scope.tenant(self.tenant.id), ledger.book([self.tenant.id], [job]))

    def ask(self, query: str) -> list[dict[str, Any]]:
        return self.admin.execute(query, {"tenant": self.tenant.id}).fetchall()

    def costs(self) -> dict[Any, Decimal | None]:
        rows = self.ask("select id, cost_cents from ledger_attempts where tenant_id = %(tenant)s")
        return {row["id"]: row["cost_cents"] for row in rows}

    def arms(self) -> list[dict[str, Any]]:
        return self.ask(
            "select arm, unpriced, cents, cents_squared, baseline_cents from arm_rollups"
            " where tenant_id = %(tenant)s order by arm, day"
        )

    def sums_off_the_ledger(self) -> list[dict[str, Any]]:
        """Rollups that are not what the ledger adds up to."""
        return self.ask(
            "select * from (select grain, bucket, kind, provider, model, attempts, unpriced, cost_cents,"
            "   baseline_cost_cents, unpriced_baseline_cents, own_key_cents"
            "   from rollups where tenant_id = %(tenant)s) r"
            " full join (select grain, date_trunc(grain, at, 'UTC') as bucket, kind, provider, model,"
            "   count(*) as attempts, count(*) filter (where cost_cents is null) as unpriced,"
            "   coalesce(sum(cost_cents), 0) as cost_cents,"
            "   coalesce(sum(baseline_cost_cents), 0) as baseline_cost_cents,"
            "   coalesce(sum(baseline_cost_cents) filter (where cost_cents is null), 0) as unpriced_baseline_cents,"
            "   coalesce(sum(cost_cents) filter (where key_source = 'tenant'), 0) as own_key_cents"
            "   from ledger_attempts, unnest(array['minute', 'day']) as grain where tenant_id = %(tenant)s"
            "   group by grain, bucket, kind, provider, model) l"
            " using (grain, bucket, kind, provider, model, attempts, unpriced, cost_cents, baseline_cost_cents,"
            "   unpriced_baseline_cents, own_key_cents) where r.* is null or l.* is null"
        )
