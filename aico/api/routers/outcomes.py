"""How good the models' answers were."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from aico.api.outcome_schemas import OutcomeRow, OutcomesView, PairRow
from aico.api.problems import documented
from aico.api.services import Held, UsageReader
from aico.core.inputs import Day, ModelName
from aico.store import outcomes
from aico.store.scope import Scope

router = APIRouter(tags=["costs and models"])

USUAL_DAYS = 30


@router.get("/v1/outcomes", responses=documented(401, 403, 422, 503))
async def list_outcomes(
    held: Held,
    principal: UsageReader,
    since: Annotated[Day | None, Query(description="The first day, UTC; by default 30 days back.")] = None,
    model: Annotated[ModelName | None, Query(description="Of this model alone.")] = None,
) -> OutcomesView:
    """What was observed of each model and task, by who judged, and which of two models answered better.

    From the rollups: O(days x models x tasks), whatever the number of requests.
    """
    first = since or datetime.now(UTC).date() - timedelta(days=USUAL_DAYS)
    tenant, scope = principal.tenant, Scope.tenant(principal.tenant)
    judged = await held.database.run(scope, outcomes.summary(tenant, since=first, model=model))
    compared = await held.database.run(scope, outcomes.pairs(tenant, since=first, model=model))
    return OutcomesView(
        since=first, outcomes=[OutcomeRow.of(row) for row in judged], pairs=[PairRow.of(row) for row in compared]
    )
