"""Asking the embed workers for vectors: what goes through Redis from the API to a worker and back.

An ask is a key with the texts, and a message with its id. The answer is an item of a list that the asking process alone
takes from. Both vanish by themselves: nothing here is durable, a caller who gets no answer asks again.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

ANSWER_SECONDS = 5.0  # how long an ask waits for its answer, and for how long its texts are there
KEPT_SECONDS = 60  # an answer that nobody takes
TEXTS_IN_AN_ASK = 16  # one call of the model, about: prompts wait for no more than that

_HEAD = struct.Struct("<16siI")


@dataclass(frozen=True, slots=True)
class Ask:
    """Texts whose vectors are wanted. `process` is the one that waits for them."""

    id: UUID
    process: UUID
    texts: Sequence[str]

    @property
    def key(self) -> str:
        return ask_key(str(self.id))

    def encoded(self) -> str:
        return json.dumps([str(self.process), *self.texts])

    @classmethod
    def decoded(cls, ask: str, text: str) -> Self:
        process, *texts = json.loads(text)
        return cls(UUID(ask), UUID(process), texts)


@dataclass(frozen=True, slots=True)
class Vectors:
    """The answer to an ask: float32 vectors, little-endian, one after the other.

    `too_long` is the place of the first text that is longer than the model reads; then there are no vectors.
    """

    ask: UUID
    tokens: int = 0  # of all texts, special tokens included
    too_long: int | None = None
    data: bytes = b""

    def encoded(self) -> bytes:
        return _HEAD.pack(self.ask.bytes, -1 if self.too_long is None else self.too_long, self.tokens) + self.data

    @classmethod
    def decoded(cls, item: bytes) -> Self:
        """Raises struct.error for what is no answer."""
        ask, too_long, tokens = _HEAD.unpack_from(item)
        return cls(UUID(bytes=ask), tokens, None if too_long < 0 else too_long, item[_HEAD.size :])


def ask_key(ask: str) -> str:
    return f"aico:vectors:ask:{ask}"


def answers_key(process: UUID) -> str:
    return f"aico:vectors:answers:{process}"


def in_calls(asks: Iterable[Ask]) -> Iterator[list[Ask]]:
    """Small asks together, up to TEXTS_IN_AN_ASK texts; a larger one alone. The order is kept."""
    together: list[Ask] = []
    for ask in asks:
        if together and sum(len(one.texts) for one in together) + len(ask.texts) > TEXTS_IN_AN_ASK:
            yield together
            together = []
        together.append(ask)
    if together:
        yield together
