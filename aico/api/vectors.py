"""Vectors from the embed workers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from aico.api.embed_workers import EmbedWorkers
from aico.core.errors import InvalidInput
from aico.workers.asks import TEXTS_IN_AN_ASK
from aico.workers.queue import to_vectors
from aico.workers.vectors import Vectors

ASKS_OF_A_REQUEST = 4  # under way at once: a large request leaves room for others, and for prompts


@dataclass(frozen=True, slots=True)
class Embedded:
    tokens: int  # of all texts
    data: bytes  # float32 vectors, little-endian, in the order of the texts


async def embed(workers: EmbedWorkers, tenant: UUID, texts: Sequence[str]) -> Embedded:
    """Asks of at most TEXTS_IN_AN_ASK texts, ASKS_OF_A_REQUEST of them at a time.

    Raises InvalidInput that names the first text that is too long, and Unavailable where an answer does not come.
    """
    tokens, data = 0, bytearray()
    step = TEXTS_IN_AN_ASK * ASKS_OF_A_REQUEST
    for first in range(0, len(texts), step):
        starts = range(first, min(first + step, len(texts)), TEXTS_IN_AN_ASK)
        asked = (workers.ask(to_vectors, tenant, texts[start : start + TEXTS_IN_AN_ASK]) for start in starts)
        for start, answer in zip(starts, await asyncio.gather(*asked), strict=True):
            found = Vectors.decoded(answer)
            if found.too_long is not None:
                raise _too_long(start + found.too_long)
            tokens += found.tokens
            data += found.data
    return Embedded(tokens, bytes(data))


def _too_long(index: int) -> InvalidInput:
    return InvalidInput(f"input.{index} has more tokens than the embedding model reads", param=f"input.{index}")
