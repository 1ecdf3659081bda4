"""First hop: vectors in micro-batches, then the tenant's cache. A hit ends the job; a miss goes on to routing.

The same process answers those who ask for vectors, or why one text's answer is served for another: it has the model.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from uuid import UUID

import numpy as np
import redis
import structlog
from numpy.typing import NDArray

from aico.caching.deciding import Decider
from aico.caching.explaining import explained, unread
from aico.caching.scoring import FEATURES_VERSION
from aico.core.cache_policy import Basis
from aico.core.explanation import Explanation, Terms
from aico.embedding_service.factory import load_embedder
from aico.embedding_service.protocol import Embedder
from aico.embedding_service.verification.comparison import Verifier
from aico.embedding_service.verification.vectors import WordVectors
from aico.store import embeddings, similar_flights
from aico.store.embeddings import ToEmbed
from aico.store.scope import Scope
from aico.tracing import spans
from aico.workers import traced
from aico.workers.app import app
from aico.workers.asks import KEPT_SECONDS, Answer, Ask, answers_key, ask_key, in_calls
from aico.workers.finish import finish
from aico.workers.lookup import Lookup
from aico.workers.microbatch import MicroBatch
from aico.workers.queue import TaskName, by_tenant, to_calibrate, to_route
from aico.workers.runtime import Runtime, get_runtime, patiently
from aico.workers.vectors import Vectors

log = structlog.get_logger()

Vector = NDArray[np.float32]


@cache
def embedder() -> Embedder:
    return load_embedder(get_runtime().settings)


@cache
def verifier() -> Verifier:
    return Verifier(WordVectors.bundled())


@cache
def lookup() -> Lookup:
    return Lookup(get_runtime(), Decider(verifier()), embedder().fingerprint)


@cache
def explaining() -> Decider:
    """Of what is asked here nothing is to be remembered."""
    return Decider(verifier(), remembered=0)


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
    with traced.embedding([job for batch in found for job in batch], runtime.settings.embedding_model_name):
        vectors = vectors_of(texts)
    offset = 0
    for tenant, batch in zip(wanted, found, strict=True):
        if batch:
            with structlog.contextvars.bound_contextvars(tenant_id=str(tenant)):
                _settle(runtime, tenant, batch, vectors[offset : offset + len(batch)], started)
        offset += len(batch)


def vectors_of(texts: Sequence[str]) -> list[Vector | None]:
    """None for a text that the model does not wholly read: two of them may differ only in what it did not see."""
    whole = [text for text in dict.fromkeys(texts) if embedder().reads(text)]  # what many ask is read once
    found = dict(zip(whole, embedder().embed(whole), strict=True))
    return [found.get(text) for text in texts]


class AskBatch(MicroBatch):
    """Beside the prompts, in a thread of its own: all take turns on the model, a call each."""

    abstract = True
    limit = 16


@app.task(name=TaskName.VECTORS.value, base=AskBatch)
def vectors(messages: Sequence[tuple[str, ...]]) -> None:
    _answer_all(messages, lambda asks: [one.encoded() for one in vectors_for(asks)])


@app.task(name=TaskName.EXPLAIN.value, base=AskBatch)
def explain(messages: Sequence[tuple[str, ...]]) -> None:
    _answer_all(messages, lambda asks: [one.model_dump_json().encode() for one in explanations_for(asks)])


def _answer_all(messages: Sequence[tuple[str, ...]], work: Callable[[Sequence[Ask]], list[bytes]]) -> None:
    """Answer each ask once. One whose texts are gone was given up by whoever asked."""
    client = get_runtime().redis
    try:
        with client.pipeline(transaction=False) as pipe:
            for _, ask in messages:
                pipe.getdel(ask_key(ask))
            found = pipe.execute()
        asks = [Ask.decoded(ask, text) for (_, ask), text in zip(messages, found, strict=True) if text is not None]
        for call in in_calls(asks):
            _send(client, call, work(call))
    except redis.RedisError as error:
        log.warning("asks_not_answered", error=type(error).__name__)  # whoever waits is told to ask again


def _send(client: redis.Redis, asks: Sequence[Ask], answers: Sequence[bytes]) -> None:
    with client.pipeline(transaction=False) as pipe:
        for ask, answer in zip(asks, answers, strict=True):
            key = answers_key(ask.process)
            pipe.rpush(key, Answer(ask.id, answer).encoded())
            pipe.expire(key, KEPT_SECONDS)
        pipe.execute()


def vectors_for(asks: Sequence[Ask]) -> list[Vectors]:
    """In the order of the asks, all of them in one call of the model."""
    counts = [[embedder().count(text) for text in ask.texts] for ask in asks]
    whole = [None not in tokens for tokens in counts]
    found = embedder().embed([text for ask, read in zip(asks, whole, strict=True) if read for text in ask.texts])
    answers, offset = [], 0
    for ask, tokens, read in zip(asks, counts, whole, strict=True):
        if not read:
            answers.append(Vectors(too_long=tokens.index(None)))
            continue
        data = np.ascontiguousarray(found[offset : offset + len(ask.texts)], "<f4").tobytes()
        answers.append(Vectors(sum(count or 0 for count in tokens), data=data))
        offset += len(ask.texts)
    return answers


def explanations_for(asks: Sequence[Ask]) -> list[Explanation]:
    """Likewise, of asks with two texts each: what is asked, and the question whose answer is kept."""
    found = vectors_of([text for ask in asks for text in ask.texts])
    return [_explanation(*each) for each in zip(asks, found[::2], found[1::2], strict=True)]


def _explanation(ask: Ask, asked: Vector | None, kept: Vector | None) -> Explanation:
    terms, (question, other) = Terms.model_validate(ask.terms), ask.texts
    if asked is None or kept is None:
        return unread(terms, asked_read=asked is not None, kept_read=kept is not None)
    left, right = (vector.astype(np.float16).astype(np.float32) for vector in (asked, kept))  # as the database has them
    needed = Basis(FEATURES_VERSION, embedder().fingerprint, terms.target, get_runtime().settings.cache_confidence)
    return explained(explaining(), question, other, float(left @ right), terms, needed, datetime.now(UTC).year)


def _settle(
    runtime: Runtime, tenant: UUID, batch: Sequence[ToEmbed], vectors: Sequence[Vector | None], started: float
) -> None:
    began = time.time_ns()
    looked = lookup().look(tenant, batch, vectors, started)
    if spans.on():
        traced.looked_up(tenant, began, batch, looked.told())
    finish(runtime, tenant, looked.hits)
    runtime.tell(bells=[to_calibrate(tenant, job) for job in looked.outdated])
    if looked.passed:
        advance = embeddings.advance(tenant, looked.passed, embedder().fingerprint)
        waiting = patiently(lambda: runtime.database.run(Scope.tenant(tenant, durable=False), advance))
        runtime.tell(bells=[to_route(tenant, job.id, job.job_class) for job in waiting])
    if looked.waits:  # after those whose answers they wait for have gone on
        wait = similar_flights.wait(tenant, looked.waits)
        patiently(lambda: runtime.database.run(Scope.tenant(tenant, durable=False), wait))


def warm_up() -> None:
    """Load the model before the first message."""
    embedder().embed(["ready"])
    lookup()


def wind_down() -> None:
    """Nothing to give back: a job stays in stage `embed` until it has been advanced, and the sweeper rings again."""
