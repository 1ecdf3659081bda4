"""Vectors that lie as real ones do, and tenants full of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from uuid import UUID, uuid4

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector

from aico.core.settings import Settings
from aico.embedding_service.factory import load_embedder

MODEL = "bench"
Vectors = NDArray[np.float32]
Connection = psycopg.Connection[tuple[object, ...]]

_LATER = datetime(2100, 1, 1, tzinfo=UTC)
_OPENINGS = (
    *("How do I {} {}?", "Why can I not {} {}?", "What does it cost to {} {}?", "Please {} {} for me."),
    *("Explain how to {} {} to a beginner.", "Is it safe to {} {} at night?", "Write a mail that asks to {} {}."),
)
_VERBS = (
    *("cancel", "renew", "compare", "translate", "repair", "insure", "test", "deploy", "paint", "measure", "sell"),
    *("return", "summarise", "encrypt", "cook", "photograph"),
)
_THINGS = (
    *("my subscription", "a bicycle", "the annual report", "a PostgreSQL database", "an espresso machine", "a visa"),
    *("the kitchen wall", "a signed contract", "my old phone", "a Python package", "the train ticket", "a vaccine"),
    *("an electric guitar", "the garden fence", "a credit card", "the weather forecast"),
)


def unit(vectors: NDArray[np.floating]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def near(vectors: Vectors, cosine: NDArray[np.floating], draw: np.random.Generator) -> Vectors:
    """For each another in a random direction, at that cosine."""
    drawn = draw.standard_normal(vectors.shape)
    aside = unit(drawn - (drawn * vectors).sum(axis=1, keepdims=True) * vectors)
    return unit(cosine * vectors + np.sqrt(1 - np.square(cosine)) * aside)


class Population:
    """The model's own vectors of some 1,800 sentences, and as many more as are asked for, made of these.

    A made one is a mixture of two sentences' vectors, turned a little: neighbours as near as those of real questions,
    at the speed of arithmetic. A hundred thousand texts would take the model minutes.
    """

    def __init__(self, seed: int = 7) -> None:
        self.draw = np.random.default_rng(seed)
        texts = [opening.format(*rest) for opening, *rest in product(_OPENINGS, _VERBS, _THINGS)]
        self._real = load_embedder(Settings(_env_file=None)).embed(texts)  # type: ignore[call-arg]

    def vectors(self, count: int) -> Vectors:
        first, second = (self._real[self.draw.integers(0, len(self._real), count)] for _ in range(2))
        share = self.draw.uniform(0, 0.5, (count, 1))
        return near(unit((1 - share) * first + share * second), self.draw.uniform(0.9, 1, (count, 1)), self.draw)

    def questions(self, stored: Vectors, count: int) -> list[HalfVector]:
        """Other wordings of `count` stored ones, at cosines from 0.85 to 0.98."""
        chosen = stored[self.draw.integers(0, len(stored), count)]
        return [HalfVector(one) for one in near(chosen, self.draw.uniform(0.85, 0.98, (count, 1)), self.draw)]


@dataclass(frozen=True, slots=True)
class Place:
    tenant: UUID
    namespace: bytes = b"bench"


def new_place(connection: Connection) -> Place:
    place = Place(uuid4())
    connection.execute("insert into tenants (id, name) values (%s, %s)", (place.tenant, str(place.tenant)))
    return place


def insert(connection: Connection, places: Sequence[Place], vectors: Vectors) -> list[UUID]:
    """Each vector with an answer, in turn at each of the places. Returns the entries."""
    entries = [uuid4() for _ in vectors]
    rows = [(entry, places[number % len(places)]) for number, entry in enumerate(entries)]
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy(
            "copy cache_entries (id, tenant_id, namespace, fingerprint, job_id, answer, routing, question, expires_at)"
            " from stdin"
        ) as copy:
            for entry, place in rows:
                answer = '{"text": "an answer"}'
                copy.write_row(
                    (entry, place.tenant, place.namespace, entry.bytes, entry, answer, "{}", "which?", _LATER)
                )
        with cursor.copy(
            "copy cache_vectors (tenant_id, namespace, model, entry_id, embedding, expires_at) from stdin"
            " (format binary)"
        ) as copy:
            copy.set_types(("uuid", "bytea", "text", "uuid", "halfvec", "timestamptz"))
            for (entry, place), vector in zip(rows, vectors, strict=True):
                copy.write_row((place.tenant, place.namespace, MODEL, entry, HalfVector(vector), _LATER))
    return entries
