"""The catalogue as this installation sees it."""

from datetime import UTC, datetime
from decimal import Decimal

from fastapi import APIRouter

from aico.api.cost_schemas import ModelView, ProvidersView, ProviderView
from aico.api.problems import documented
from aico.api.services import Held, Reader
from aico.core.money import CENTS_PER_DOLLAR, MILLION
from aico.core.usage import Usage
from aico.routing.models import Model
from aico.routing.prices import PriceBook

_SAMPLE = 1000  # tokens: small enough for the first step of a tiered price

router = APIRouter(tags=["costs and models"])


@router.get("/providers", responses=documented(401, 403, 422, 503))
async def list_providers(held: Held, _principal: Reader) -> ProvidersView:
    """Which providers are switched on, by which variable, and what their models can do and cost. O(models)."""
    catalogue = held.catalogue
    return ProvidersView(
        providers=[
            ProviderView(
                name=provider.name,
                configured=provider.configured,
                switched_on_by=provider.switched_on_by,
                models=list(provider.models),
            )
            for provider in catalogue.providers
        ],
        models=[_view(model, held.prices) for model in catalogue.models],
    )


def _view(model: Model, prices: PriceBook) -> ModelView:
    return ModelView(
        id=model.id,
        provider=model.provider,
        context_window=model.context_window,
        max_output=model.max_output,
        capabilities=sorted(model.capabilities),
        quality=model.quality,
        input_dollars_per_million=_dollars_per_million(model, prices, Usage(input_uncached=_SAMPLE)),
        output_dollars_per_million=_dollars_per_million(model, prices, Usage(output=_SAMPLE)),
    )


def _dollars_per_million(model: Model, prices: PriceBook, sample: Usage) -> Decimal | None:
    price = prices.cost_cents(model.provider, model.provider_model, sample, datetime.now(UTC))
    return None if price is None else (price.cents / CENTS_PER_DOLLAR * MILLION / _SAMPLE).normalize()
