"""What a request would cost, at once and by its deadline. Nothing is stored.

The model is chosen as for a job, by what has been learned, but for two things: nobody makes a vector of the prompt, and
nothing is tried by chance.
"""

from datetime import UTC, datetime

from fastapi import APIRouter

from aico.api.problems import documented
from aico.api.quote_schemas import QuoteView
from aico.api.schemas import JobRequest
from aico.api.services import Held, Reader
from aico.core.errors import NotFound
from aico.routing.features import extract_features
from aico.routing.lanes import Estimate, LanePolicy, quote
from aico.routing.providers.batches.lane import lane_profiles, tenant_lane_profiles
from aico.routing.strategies.protocol import Ask, RoutingPolicy, among, price_models
from aico.routing.strategies.strategies import Strategies
from aico.store import learner, tenants
from aico.store.scope import Scope
from aico.workers.learned import readable

router = APIRouter(tags=["jobs"])

_STRATEGY = Strategies()


@router.post("/v1/quote", responses=documented(400, 401, 403, 404, 413, 422, 503))
async def quote_job(request: JobRequest, held: Held, principal: Reader) -> QuoteView:
    """Estimate what a job would cost now and by its deadline. Nothing is stored; the cache is not asked. O(models)."""
    submission = request.submission()
    own = await held.own_keys.providers(principal.tenant)
    chat, controls = submission.chat, submission.controls
    terms = held.admission.appraise(submission, principal.models, own)
    at = datetime.now(UTC)
    policies = await held.database.run(Scope.tenant(principal.tenant), tenants.policy(principal.tenant))
    if not policies:  # it was erased since the credential was looked at
        raise NotFound("there is no such tenant")
    asked = RoutingPolicy(
        model=chat.model,
        quality_floor=controls.quality_floor or 0.0,
        max_cents=controls.max_cost_cents,
        strategy=controls.strategy or policies[0].strategy,
        quality_target=policies[0].quality_target,
    )
    features = extract_features(chat)
    models = among(held.catalogue.with_keys(own).models, principal.models, chat.model)
    learned = readable(await held.database.run(Scope.tenant(principal.tenant), learner.in_use(principal.tenant)))
    priced = price_models(models, features, held.prices, at)
    decision = _STRATEGY.decide(Ask(features, priced, asked, learned))
    lanes = {profile.name for profile in lane_profiles(held.settings)}
    lanes |= {profile.name for profile in tenant_lane_profiles(held.settings) if profile.name in own}
    return QuoteView.of(
        quote(
            decision,
            asked,
            Estimate(held.prices, features, at),
            terms,
            LanePolicy.from_settings(held.settings, lanes),
            controls.baseline_model or held.settings.baseline_model,
        )
    )
