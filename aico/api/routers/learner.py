"""What routing has learned from the tenant's outcomes."""

from fastapi import APIRouter

from aico.api.learner_schemas import LearnerView
from aico.api.problems import documented
from aico.api.services import Held, UsageReader
from aico.store import drafts, learner
from aico.store.scope import Scope

router = APIRouter(tags=["costs and models"])


@router.get("/v1/routing/learner", responses=documented(401, 403, 503))
async def show_learner(held: Held, principal: UsageReader) -> LearnerView:
    """Which version routing decides by, on how many outcomes it rests, and how well each model does. O(models)."""
    scope, tenant = Scope.tenant(principal.tenant), principal.tenant
    standing = await held.database.run(scope, learner.standing(tenant))
    models = await held.database.run(scope, learner.models(tenant))
    checked = await held.database.run(scope, drafts.standing(tenant))
    return LearnerView.of(standing[0] if standing else None, models, checked)
