"""Vectors of texts, in OpenAI's format, from this installation's own embedding model."""

from fastapi import APIRouter, Response
from pydantic_core import to_json

from aico.api.problems import documented_errors
from aico.api.rate_limit import estimated_tokens
from aico.api.services import Held, Writer
from aico.api.vectors import embed
from aico.core.chat import AUTO_MODEL
from aico.core.embedding import names
from aico.core.errors import UnknownModel
from aico.wire.embeddings import EmbeddingList, EmbeddingRequest, embeddings

JSON = "application/json"

router = APIRouter(tags=["models"])


@router.post(
    "/v1/embeddings",
    response_model=EmbeddingList,
    responses=documented_errors(400, 401, 403, 404, 413, 429, 503),
)
async def create_embeddings(request: EmbeddingRequest, held: Held, principal: Writer) -> Response:
    """Compute a vector of length 1 for each text. Nothing is stored; while no embed worker answers it is a 503."""
    model = held.settings.embedding_model_name
    if request.model not in names(model) | {AUTO_MODEL}:
        raise UnknownModel(f"the model {request.model!r} gives no vectors here; {model!r} does", param="model")
    headers = await held.limiter.take(principal, estimated_tokens(request.input))
    found = await embed(held.embed_workers, principal.tenant, request.input)
    answer = embeddings(model, found.data, found.tokens, request.encoding_format)
    return Response(to_json(answer), 200, headers, JSON)
