"""Which models can be asked for, in OpenAI's format."""

from collections.abc import Iterator

from fastapi import APIRouter

from aico.api.auth import Principal
from aico.api.list_price import ListPrice
from aico.api.model_schemas import ListedModel, ModelList
from aico.api.problems import documented_errors
from aico.api.services import Held, Reader, Services
from aico.core.chat import AUTO_CHEAP, AUTO_MODEL, AUTO_QUALITY
from aico.core.embedding import BUNDLED_MAX_TOKENS, BUNDLED_MODEL, names
from aico.routing.catalogue import Catalogue
from aico.routing.models import Model
from aico.routing.prices import PriceBook

router = APIRouter(prefix="/v1/models", tags=["models"])

OURS = "aico"
_CHOSEN_HERE = {
    AUTO_MODEL: "The cheapest model that is good enough for the prompt. In an embedding request, the embedding model.",
    AUTO_CHEAP: "The cheapest model that can serve the request at all.",
    AUTO_QUALITY: "The model of the highest rank that can serve the request.",
}
_ERRORS = documented_errors(401, 403, 503)


@router.get("", responses=_ERRORS)
async def list_models(held: Held, principal: Reader) -> ModelList:
    """List what `model` may say: `auto` and its variants, and the models whose provider is switched on. O(models).

    A tenant's own key switches its provider on for the tenant. Where the API key is limited to models, the others are
    left out.
    """
    return ModelList(data=list(_listed(held, principal, await held.own_keys.catalogue(principal.tenant))))


@router.get("/{model_id:path}", responses={**_ERRORS, **documented_errors(404)})
async def get_model(model_id: str, held: Held, principal: Reader) -> ListedModel:
    """Describe one of them. An id may contain slashes."""
    name = held.settings.embedding_model_name
    if model_id in names(name):
        return _embedding(name)
    catalogue = await held.own_keys.catalogue(principal.tenant)
    found = next((one for one in _listed(held, principal, catalogue) if one.id == model_id), None)
    return found or _described(catalogue.find(model_id), held.prices)


def _listed(held: Services, principal: Principal, catalogue: Catalogue) -> Iterator[ListedModel]:
    allowed = principal.models
    models = tuple(model for model in catalogue.models if allowed is None or model.id in allowed)
    if models:
        for name, description in _CHOSEN_HERE.items():
            yield _choice(name, description, models)
    for model in models:
        yield _described(model, held.prices)
    yield _embedding(held.settings.embedding_model_name)


def _choice(name: str, description: str, models: tuple[Model, ...]) -> ListedModel:
    """A request fits if it fits any of the models."""
    return ListedModel(
        id=name,
        owned_by=OURS,
        description=description,
        context_window=max(model.context_window for model in models),
        max_output_tokens=max(model.max_output for model in models),
        capabilities=sorted({capability for model in models for capability in model.capabilities}),
    )


def _described(model: Model, prices: PriceBook) -> ListedModel:
    return ListedModel(
        id=model.id,
        owned_by=model.provider,
        context_window=model.context_window,
        max_output_tokens=model.max_output,
        capabilities=sorted(model.capabilities),
        quality=model.quality,
        pricing=ListPrice.of(model, prices),
    )


def _embedding(name: str) -> ListedModel:
    return ListedModel(
        id=name,
        owned_by=OURS,
        description="Vectors for `POST /v1/embeddings`, computed on this installation's own machines.",
        context_window=BUNDLED_MAX_TOKENS if name == BUNDLED_MODEL else None,
        capabilities=["embeddings"],
    )
