"""What a dashboard shows of a tenant: sums of seconds, minutes or days."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError

from aico.api.metric_schemas import Breakdown, Overview, Series
from aico.api.problems import documented
from aico.api.services import Held, Services, UsageReader
from aico.core.inputs import Moment
from aico.core.metrics import MOST_BUCKETS, MOST_SPLIT_BUCKETS, BadPeriod, Dimension, Grain, Period, period
from aico.store import metrics
from aico.store.metrics import NOTHING, Sums
from aico.store.scope import Scope
from aico.store.statement import Statement

router = APIRouter(prefix="/v1/metrics", tags=["costs and models"])

NAMES = 100  # in a breakdown, beside all others together
LINES = 8  # in a series, likewise

GrainAsked = Annotated[
    Grain, Query(description="Of the sums. Seconds are kept for an hour, minutes for 35 days, days for ever.")
]
Since = Annotated[
    Moment | None,
    Query(
        description="The begin, rounded down to the grain. Default: 5 minutes, 24 hours or 30 days before `until`;"
        " at most as many buckets as are given at once."
    ),
]
Until = Annotated[Moment | None, Query(description="The end, rounded up to the grain. Default: now.")]
By = Annotated[
    Dimension | None,
    Query(description=f"Split by this: at most {MOST_SPLIT_BUCKETS} buckets, and {LINES} names beside all others."),
]


@router.get("/overview", responses=documented(401, 403, 422, 503))
async def get_overview(
    held: Held,
    principal: UsageReader,
    grain: GrainAsked = Grain.DAY,
    since: Since = None,
    until: Until = None,
) -> Overview:
    """Read the sums of a period. O(buckets), whatever the number of requests."""
    asked = _period(grain, since, until)
    seq, rows = await _read(held, principal.tenant, metrics.total(principal.tenant, asked))
    return Overview.build(asked, seq, rows[0] if rows else NOTHING)


@router.get("/series", responses=documented(401, 403, 422, 503))
async def get_series(
    held: Held,
    principal: UsageReader,
    grain: GrainAsked = Grain.DAY,
    since: Since = None,
    until: Until = None,
    by: By = None,
) -> Series:
    """Read the sums of each bucket of a period, such as what ticks would have said. O(buckets x names)."""
    asked = _period(grain, since, until, most=MOST_BUCKETS if by is None else MOST_SPLIT_BUCKETS)
    found = metrics.series(principal.tenant, asked, by, most=LINES)
    seq, rows = await _read(held, principal.tenant, found)
    return Series.build(asked, seq, by, rows)


@router.get("/breakdown", responses=documented(401, 403, 422, 503))
async def get_breakdown(
    held: Held,
    principal: UsageReader,
    by: Dimension,
    grain: GrainAsked = Grain.DAY,
    since: Since = None,
    until: Until = None,
) -> Breakdown:
    """Read the sums of a period by lever, provider, model, route or tag. O(buckets x names)."""
    asked = _period(grain, since, until)
    seq, rows = await _read(held, principal.tenant, metrics.breakdown(principal.tenant, asked, by, most=NAMES))
    return Breakdown.build(asked, seq, by, rows)


async def _read(held: Services, tenant: UUID, statement: Statement[Sums]) -> tuple[int, list[Sums]]:
    """The number of the latest tick, and what is not older than that tick."""
    scope = Scope.tenant(tenant)
    asked: list[Statement[Any]] = [metrics.seq(tenant), statement]
    (seq,), rows = await held.database.run_each([(scope, one) for one in asked])
    return seq, rows


def _period(grain: Grain, since: datetime | None, until: datetime | None, *, most: int = MOST_BUCKETS) -> Period:
    try:
        return period(grain, since, until, datetime.now(UTC), most=most)
    except BadPeriod as error:
        fault = {"type": "period", "loc": ("query", error.param), "msg": error.message}
        raise RequestValidationError([fault]) from error
