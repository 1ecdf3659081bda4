"""`POST /v1/embeddings`: OpenAI's body and answer. A vector is little-endian float32 here, as base64 carries it."""

import base64
import sys
from array import array
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from aico.core.embedding import DIMENSIONS
from aico.core.inputs import ModelName, Text
from aico.wire.chat_messages import Strict

MAX_TEXTS = 2048
VECTOR_BYTES = 4 * DIMENSIONS
_TEXT_SCHEMA = {"type": "string", "minLength": 1}

Json = dict[str, Any]
EncodingFormat = Literal["float", "base64"]


def _texts(given: object) -> object:
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and given and all(isinstance(one, int | list) for one in given):
        raise ValueError("send text: this model does not take token ids")
    return given


Texts = Annotated[
    list[Annotated[Text, Field(min_length=1)]],
    Field(min_length=1, max_length=MAX_TEXTS),
    BeforeValidator(_texts),
    WithJsonSchema(
        {"anyOf": [_TEXT_SCHEMA, {"type": "array", "items": _TEXT_SCHEMA, "minItems": 1, "maxItems": MAX_TEXTS}]}
    ),
]


class EmbeddingRequest(Strict):
    """One text, or up to 2048. None may be longer than the model reads."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "auto", "input": ["A durable queue.", "A cache of answers."]}]}
    )

    model: ModelName
    input: Texts
    encoding_format: EncodingFormat | None = None
    dimensions: Literal[384] | None = None
    user: Annotated[Text, Field(max_length=512)] | None = None  # accepted for their clients' sake


class EmbeddingItem(BaseModel):
    object: Literal["embedding"]
    index: int
    embedding: Annotated[list[float] | str, Field(description="384 numbers; with `base64`, as little-endian float32.")]


class EmbeddingUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    object: Literal["list"]
    data: list[EmbeddingItem]
    model: str
    usage: EmbeddingUsage


def embeddings(model: str, vectors: bytes, tokens: int, encoding: EncodingFormat | None) -> Json:
    """OpenAI's list; `vectors` one after the other in the order of the texts, `tokens` of all texts together."""
    shown = _base64 if encoding == "base64" else _numbers
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": shown(vector)}
            for index, vector in enumerate(_apart(vectors))
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _apart(vectors: bytes) -> Iterator[bytes]:
    return (vectors[start : start + VECTOR_BYTES] for start in range(0, len(vectors), VECTOR_BYTES))


def _base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode()


def _numbers(vector: bytes) -> list[float]:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
