"""Asking the embed workers: what goes through Redis from the API to a worker and back.

An ask is a key with the texts, and a message with its id. The answer is an item of a list that the asking process alone
takes from. Both vanish by themselves: nothing here is durable, a caller who gets no answer asks again.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

ANSWER_SECONDS = 5.0  # how long an ask waits for its answer, and for how long its texts are there
KEPT_SECONDS = 60  # an answer that nobody takes
TEXTS_IN_AN_ASK = 16  # one call of the model, about: prompts wait for no more than that

_HEAD = struct.Struct("<16s")


@dataclass(frozen=True, slots=True)
class Ask:
    """Texts that the model is to read. `process` is the one that waits; what is asked is said by the message's task."""

    id: UUID
    process: UUID
    texts: Sequence[str]
    terms: Mapping[str, Any] = field(default_factory=dict)  # JSON: what that task goes by beside the texts

    @property
    def key(self) -> str:
        return ask_key(str(self.id))

    def encoded(self) -> str:
        return json.dumps([str(self.process), self.terms, *self.texts])

    @classmethod
    def decoded(cls, ask: str, text: str) -> Self:
        process, terms, *texts = json.loads(text)
        return cls(UUID(ask), UUID(process), texts, terms)


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` is as the task writes it."""

    ask: UUID
    data: bytes

    def encoded(self) -> bytes:
        return _HEAD.pack(self.ask.bytes) + self.data

    @classmethod
    def decoded(cls, item: bytes) -> Self:
        """Raises struct.error for what is no answer."""
        (ask,) = _HEAD.unpack_from(item)
        return cls(UUID(bytes=ask), item[_HEAD.size :])


def ask_key(ask: str) -> str:
    return f"aico:asks:{ask}"


def answers_key(process: UUID) -> str:
    return f"aico:asks:answers:{process}"


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
