"""What was saved, against the price list and against what chance kept from us."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError

from aico.api.problems import documented
from aico.api.savings_schemas import SavingsView, holdout, price_list, routing_cost
from aico.api.services import Held, UsageReader
from aico.core.savings import measure
from aico.core.share import MONTH_PATTERN, month_of
from aico.store import ledger, savings
from aico.store.scope import Scope

router = APIRouter(prefix="/v1", tags=["costs and models"])

_USUAL_DAYS = 30
Days = Annotated[int | None, Query(ge=1, le=366, description=f"Whole days back from now, UTC. Default: {_USUAL_DAYS}.")]
Month = Annotated[str | None, Query(pattern=MONTH_PATTERN, description="Instead of days, such as 2026-11; UTC.")]


@router.get("/savings", responses=documented(401, 403, 422, 503))
async def get_savings(held: Held, principal: UsageReader, days: Days = None, month: Month = None) -> SavingsView:
    """Read what was saved, in two ways, less what routing itself cost. O(days x models), whatever the requests."""
    since, until = _period(days, month)
    tenant, scope = principal.tenant, Scope.tenant(principal.tenant)
    # In this order nothing is missed: what is no longer pending when the first is read, the others have booked.
    (pending,) = await held.database.run(scope, ledger.pending(tenant))
    spending = savings.total(await held.database.run(scope, savings.spending(tenant, since, until)))
    arms = dict(await held.database.run(scope, savings.holdout(tenant, since, until)))
    share = principal.programme.holdout_share
    return SavingsView(
        since=since,
        until=until,
        pending_events=pending,
        routing_cost=routing_cost(spending),
        price_list=price_list(spending),
        holdout=holdout(
            held.settings.holdout_share if share is None else share, arms, measure(arms, spending.own_cents)
        ),
    )


def _period(days: int | None, month: str | None) -> tuple[datetime, datetime]:
    if days is not None and month is not None:
        fault = {"type": "exclusive", "loc": ("query", "month"), "msg": "give either `days` or `month`"}
        raise RequestValidationError([fault])
    if month is not None:
        return month_of(month)
    until = datetime.now(UTC)
    first = until - timedelta(days=(days or _USUAL_DAYS) - 1)
    return first.replace(hour=0, minute=0, second=0, microsecond=0), until
