"""What it cost and what it would have cost."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query

from aico.api.cost_schemas import CostRow, CostSummary
from aico.api.problems import documented
from aico.api.services import Held, UsageReader
from aico.core.attempts import OF_ROUTING
from aico.store import ledger
from aico.store.ledger import SummaryRow
from aico.store.scope import Scope

router = APIRouter(tags=["costs and models"])


@router.get("/costs/summary", responses=documented(401, 403, 422, 503))
async def cost_summary(
    held: Held,
    principal: UsageReader,
    days: Annotated[int, Query(ge=1, le=366, description="Whole days back from now, UTC.")] = 30,
) -> CostSummary:
    """Spend and savings from the rollups. O(days x models), whatever the number of requests."""
    until = datetime.now(UTC)
    since = (until - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    scope = Scope.tenant(principal.tenant)
    # In this order nothing is missed: what is no longer pending when the first is read, the second has booked.
    pending = await held.database.run(scope, ledger.pending(principal.tenant))
    found = await held.database.run(scope, ledger.summary(principal.tenant, grain="day", since=since, until=until))
    cost = sum((row.cost_cents for row in found), Decimal(0))
    baseline = sum((row.baseline_cost_cents for row in found), Decimal(0))
    return CostSummary(
        since=since,
        until=until,
        cost_cents=cost,
        baseline_cost_cents=baseline,
        saved_cents=baseline - cost,
        routing_cost_cents=sum((row.cost_cents for row in found if row.kind in OF_ROUTING), Decimal(0)),
        unpriced_attempts=sum(row.unpriced for row in found),
        pending_events=pending[0],
        rows=[_row(row) for row in found],
    )


def _row(row: SummaryRow) -> CostRow:
    return CostRow(
        kind=row.kind,
        provider=row.provider,
        model=row.model,
        attempts=row.attempts,
        answered=row.answered,
        failed=row.failed,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_cents=row.cost_cents,
        baseline_cost_cents=row.baseline_cost_cents,
        saved_cents=row.baseline_cost_cents - row.cost_cents,
        unpriced_attempts=row.unpriced,
    )
