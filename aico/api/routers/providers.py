"""The catalogue as this installation sees it."""

from fastapi import APIRouter

from aico.api.cost_schemas import ModelView, ProvidersView
from aico.api.list_price import ListPrice
from aico.api.problems import documented
from aico.api.provider_view import provider_views
from aico.api.services import Held, Reader
from aico.routing.models import Model
from aico.routing.prices import PriceBook

router = APIRouter(tags=["costs and models"])


@router.get("/providers", responses=documented(401, 403, 422, 503))
async def list_providers(held: Held, principal: Reader) -> ProvidersView:
    """Which providers are switched on, by which variable, how they are, and what their models can do and cost.

    O(models).
    """
    own = await held.own_keys.ids(principal.tenant)
    catalogue = held.catalogue.with_keys(own)
    providers, known = await provider_views(held, catalogue, own)
    return ProvidersView(
        health_known=known, providers=providers, models=[_view(model, held.prices) for model in catalogue.models]
    )


def _view(model: Model, prices: PriceBook) -> ModelView:
    return ModelView(
        id=model.id,
        provider=model.provider,
        context_window=model.context_window,
        max_output=model.max_output,
        capabilities=sorted(model.capabilities),
        quality=model.quality,
        **ListPrice.of(model, prices).model_dump(),
    )
