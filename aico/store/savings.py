"""Statements about what was spent and saved: sums of the rollups, never of the ledger itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from aico.core.assignment import HELD_OUT, ROUTED
from aico.core.attempts import OF_ROUTING, AttemptKind
from aico.core.estimates import Moments
from aico.core.savings import ArmFigures, Spending
from aico.core.share import first_day_after
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("savings")


@dataclass(frozen=True, slots=True)
class KindSpending:
    kind: AttemptKind
    answers: int
    unpriced_attempts: int
    tokens: int
    cost_cents: Decimal
    baseline_cost_cents: Decimal
    unpriced_baseline_cents: Decimal


def spending(tenant: UUID, since: datetime, until: datetime) -> Statement[KindSpending]:
    """Sums of whole days, UTC, a row for each kind of attempt. O(days x models)."""
    params = {"tenant": tenant, "since": since, "until": until}
    return Statement(_SQL["spending"], params, _kind_spending)


def _kind_spending(row: Row) -> KindSpending:
    return KindSpending(**{**row, "kind": AttemptKind(row["kind"])})


def total(kinds: Sequence[KindSpending]) -> Spending:
    return Spending(
        answers=sum(one.answers for one in kinds if one.kind not in OF_ROUTING),
        unpriced_attempts=sum(one.unpriced_attempts for one in kinds),
        cost_cents=_sum(one.cost_cents for one in kinds),
        baseline_cost_cents=_sum(one.baseline_cost_cents for one in kinds),
        unpriced_baseline_cents=_sum(one.unpriced_baseline_cents for one in kinds),
        shadow_cents=_sum(one.cost_cents for one in kinds if one.kind is AttemptKind.SHADOW),
        judge_cents=_sum(one.cost_cents for one in kinds if one.kind is AttemptKind.JUDGE),
    )


def _sum(cents: Iterable[Decimal]) -> Decimal:
    return sum(cents, Decimal(0))


def holdout(tenant: UUID, since: datetime, until: datetime) -> Statement[tuple[str, ArmFigures]]:
    """Figures of the holdout's arms by name, over the days that the period touches, UTC. O(days).

    No row for an arm without jobs.
    """
    params = {
        "tenant": tenant,
        "arms": [HELD_OUT, ROUTED],
        "since": since.date(),
        "until": first_day_after(until),
    }
    return Statement(_SQL["arms"], params, lambda row: (row["arm"], _figures(row)))


def _figures(row: Row) -> ArmFigures:
    answered, failed = row["answered"], row["failed"]
    return ArmFigures(
        answered=answered,
        failed=failed,
        unpriced=row["unpriced"],
        cents=Moments(answered + failed, row["cents"], row["cents_squared"]),
        latency_ms=Moments(answered, row["latency_ms"], row["latency_ms_squared"]),
        quality=Moments(row["judged"], row["quality"], row["quality_squared"]),
    )
