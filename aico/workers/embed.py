"""First hop: vectors in micro-batches, then the tenant's cache. A hit ends the job; a miss goes on to routing.

The same process answers those who ask for vectors themselves: it has the model.
"""

import time
from collections.abc import Sequence
from functools import cache
from uuid import UUID

import numpy as np
import redis
import structlog
from numpy.typing import NDArray

from aico.caching.deciding import Decider
from aico.embedding_service.factory import load_embedder
from aico.embedding_service.protocol import Embedder
from aico.embedding_service.verification.comparison import Verifier
from aico.embedding_service.verification.vectors import WordVectors
from aico.store import embeddings
from aico.store.embeddings import ToEmbed
from aico.store.scope import Scope
from aico.workers.app import app
from aico.workers.finish import finish
from aico.workers.lookup import Lookup
from aico.workers.microbatch import MicroBatch
from aico.workers.queue import TaskName, by_tenant, to_route
from aico.workers.runtime import Runtime, get_runtime, patiently
from aico.workers.vectors import KEPT_SECONDS, Ask, Vectors, answers_key, ask_key, in_calls

log = structlog.get_logger()

Vector = NDArray[np.float32]


@cache
def embedder() -> Embedder:
    return load_embedder(get_runtime().settings)


@cache
def lookup() -> Lookup:
    return Lookup(get_runtime(), Decider(Verifier(WordVectors.bundled())), embedder().fingerprint)


class EmbedBatch(MicroBatch):
    abstract = True
    limit = 16


@app.task(name=TaskName.EMBED.value, base=EmbedBatch)
def embed(messages: Sequence[tuple[str, ...]]) -> None:
    """One call for all tenants' texts, then one transaction a tenant."""
    runtime = get_runtime()
    wanted = by_tenant(messages)
    found = patiently(
        lambda: runtime.database.run_each(
            [
                (Scope.tenant(tenant), embeddings.to_embed(tenant, ids, runtime.settings.similarity_threshold))
                for tenant, ids in wanted.items()
            ]
        )
    )
    texts = [job.text for batch in found for job in batch]
    if not texts:  # all these bells had rung before
        return
    started = time.monotonic()
    vectors = vectors_of(texts)
    offset = 0
    for tenant, batch in zip(wanted, found, strict=True):
        if batch:
            _settle(runtime, tenant, batch, vectors[offset : offset + len(batch)], started)
        offset += len(batch)


def vectors_of(texts: Sequence[str]) -> list[Vector | None]:
    """None for a text that the model does not wholly read: two of them may differ only in what it did not see."""
    whole = [text for text in dict.fromkeys(texts) if embedder().reads(text)]  # what many ask is read once
    found = dict(zip(whole, embedder().embed(whole), strict=True))
    return [found.get(text) for text in texts]


class VectorBatch(MicroBatch):
    """Beside the prompts, in a thread of its own: the two take turns on the model, a call each."""

    abstract = True
    limit = 16


@app.task(name=TaskName.VECTORS.value, base=VectorBatch)
def vectors(messages: Sequence[tuple[str, ...]]) -> None:
    """Answer each ask once. One whose texts are gone was given up by whoever asked."""
    client = get_runtime().redis
    try:
        with client.pipeline(transaction=False) as pipe:
            for _, ask in messages:
                pipe.getdel(ask_key(ask))
            found = pipe.execute()
        asks = [Ask.decoded(ask, text) for (_, ask), text in zip(messages, found, strict=True) if text is not None]
        for call in in_calls(asks):
            _answer(client, call)
    except redis.RedisError as error:
        log.warning("vectors_not_answered", error=type(error).__name__)  # whoever waits is told to ask again


def _answer(client: redis.Redis, asks: Sequence[Ask]) -> None:
    answers = answers_to(asks)
    with client.pipeline(transaction=False) as pipe:
        for ask, answer in zip(asks, answers, strict=True):
            key = answers_key(ask.process)
            pipe.rpush(key, answer.encoded())
            pipe.expire(key, KEPT_SECONDS)
        pipe.execute()


def answers_to(asks: Sequence[Ask]) -> list[Vectors]:
    """In the order of the asks, all of them in one call of the model."""
    counts = [[embedder().count(text) for text in ask.texts] for ask in asks]
    whole = [None not in tokens for tokens in counts]
    found = embedder().embed([text for ask, read in zip(asks, whole, strict=True) if read for text in ask.texts])
    answers, offset = [], 0
    for ask, tokens, read in zip(asks, counts, whole, strict=True):
        if not read:
            answers.append(Vectors(ask.id, too_long=tokens.index(None)))
            continue
        data = np.ascontiguousarray(found[offset : offset + len(ask.texts)], "<f4").tobytes()
        answers.append(Vectors(ask.id, sum(count or 0 for count in tokens), data=data))
        offset += len(ask.texts)
    return answers


def _settle(
    runtime: Runtime, tenant: UUID, batch: Sequence[ToEmbed], vectors: Sequence[Vector | None], started: float
) -> None:
    looked = lookup().look(tenant, batch, vectors, started)
    finish(runtime, tenant, looked.hits)
    if looked.passed:
        advance = embeddings.advance(tenant, looked.passed, embedder().fingerprint)
        waiting = patiently(lambda: runtime.database.run(Scope.tenant(tenant, durable=False), advance))
        runtime.tell(bells=[to_route(tenant, job.id, job.job_class) for job in waiting])


def warm_up() -> None:
    """Load the model before the first message."""
    embedder().embed(["ready"])
    lookup()


def wind_down() -> None:
    """Nothing to give back: a job stays in stage `embed` until it has been advanced, and the sweeper rings again."""
