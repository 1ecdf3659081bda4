"""Why the cache serves one question's answer for another, or does not."""

from fastapi import APIRouter, Response

from aico.api.cache_explain_schemas import ExplainRequest
from aico.api.problems import documented
from aico.api.rate_limit import estimated_tokens
from aico.api.services import Held, Reader
from aico.core.errors import NotFound, PayloadTooLarge
from aico.core.explanation import Explanation, Terms
from aico.core.settings import Settings
from aico.store import cache_namespaces
from aico.store.cache_namespaces import Rules
from aico.store.embeddings import NEW_NAMESPACE
from aico.store.scope import Scope
from aico.workers.queue import to_explain

JSON = "application/json"

router = APIRouter(prefix="/v1/cache", tags=["cache"])


@router.post("/explain", response_model=Explanation, responses=documented(400, 401, 403, 404, 413, 422, 429, 503))
async def explain(request: ExplainRequest, held: Held, principal: Reader) -> Response:
    """Hold one question against another as the cache does, and say what speaks for and against.

    The pair stands alone: no other kept question is near it. Nothing is stored and nothing is called that costs money;
    while no embed worker answers it is a 503.
    """
    for name, text in (("asked", request.asked), ("kept", request.kept)):
        _short_enough(name, text, held.settings.max_prompt_chars)
    headers = await held.limiter.take(principal, estimated_tokens([request.asked, request.kept]))
    scope = Scope.tenant(principal.tenant)
    found = await held.database.run(scope, cache_namespaces.rules(principal.tenant, request.namespace))
    if not found:  # it was erased since the credential was looked at
        raise NotFound("there is no such tenant")
    terms = _terms(request, found[0], held.settings).model_dump(mode="json")
    answer = await held.embed_workers.ask(to_explain, principal.tenant, [request.asked, request.kept], terms)
    return Response(answer, 200, headers, JSON)


def _short_enough(name: str, text: str, most: int) -> None:
    if len(text) > most:
        raise PayloadTooLarge(f"`{name}` has {len(text)} characters; at most {most} are accepted", param=name)


def _terms(request: ExplainRequest, rules: Rules, settings: Settings) -> Terms:
    """Raises NotFound for a namespace that the tenant does not have."""
    if request.namespace is not None and rules.cache is None:
        raise NotFound(f"the cache has no namespace {request.namespace}", param="namespace")
    known = rules.cache or NEW_NAMESPACE
    return Terms(
        guards=request.guards or rules.guards or settings.cache_guards,
        least_cosine=settings.similarity_threshold if rules.floor is None else rules.floor,
        state=known.state,
        cut=known.cut,
        weights=known.weights,
        basis=known.basis,
        target=settings.cache_max_error_rate if rules.max_error_rate is None else rules.max_error_rate,
    )
