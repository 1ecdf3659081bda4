"""First hop: vectors in micro-batches, then the tenant's cache. A hit ends the job; a miss goes on to routing.

The same process answers those who ask for vectors themselves: it has the model.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from uuid import UUID

import numpy as np
import redis
import structlog
from numpy.typing import NDArray

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline, Policy
from aico.core.ids import new_id
from aico.core.jobs import CacheMode, CacheState, JobStatus
from aico.embedding_service.factory import load_embedder
from aico.embedding_service.protocol import Embedder
from aico.store import cache as cache_store
from aico.store import embeddings
from aico.store.cache import Kept, Near
from aico.store.claims import Ending
from aico.store.embeddings import ToEmbed
from aico.store.scope import Scope
from aico.workers.app import app
from aico.workers.finish import finish
from aico.workers.microbatch import MicroBatch
from aico.workers.queue import TaskName, by_tenant, to_route
from aico.workers.runtime import Runtime, get_runtime, patiently
from aico.workers.vectors import KEPT_SECONDS, Ask, Vectors, answers_key, ask_key, in_calls

log = structlog.get_logger()

FREE = Decimal(0)
Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Match:
    """An answer that is served again, and how near its question is."""

    kept: Kept
    similarity: float


@cache
def embedder() -> Embedder:
    return load_embedder(get_runtime().settings)


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
    whole = [index for index, text in enumerate(texts) if embedder().reads(text)]
    vectors: list[Vector | None] = [None] * len(texts)
    for index, vector in zip(whole, embedder().embed([texts[index] for index in whole]), strict=True):
        vectors[index] = vector
    return vectors


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
    model = embedder().fingerprint
    readers = [
        (job, vector)
        for job, vector in zip(batch, vectors, strict=True)
        if job.cache_mode is CacheMode.SEMANTIC and vector is not None
    ]
    matches: dict[UUID, Match] = {}
    if readers:
        may_hear = {job.id: job.models for job in batch}
        thresholds = {job.id: job.threshold for job in batch}
        near = cache_store.near(
            tenant,
            [job for job, _ in readers],
            [vector for _, vector in readers],
            model,
            least_similarity=min(thresholds.values()),
            count=1,
        )
        found = patiently(lambda: runtime.database.run(Scope.tenant(tenant), near))
        nearest = {
            one.job: one for one in found if one.similarity >= thresholds[one.job] and _allowed(one, may_hear[one.job])
        }
        if nearest:
            kept = cache_store.answers(tenant, [one.entry for one in nearest.values()])
            answers = {one.entry: one for one in patiently(lambda: runtime.database.run(Scope.tenant(tenant), kept))}
            matches = {
                job: Match(answers[one.entry], one.similarity) for job, one in nearest.items() if one.entry in answers
            }
    latency_ms = int((time.monotonic() - started) * 1000)
    finish(
        runtime, tenant, [_hit(job, match, latency_ms) for job in batch if (match := matches.get(job.id)) is not None]
    )
    missed = [(job, vector) for job, vector in zip(batch, vectors, strict=True) if job.id not in matches]
    if missed:
        advance = embeddings.advance(tenant, [job for job, _ in missed], [vector for _, vector in missed], model)
        waiting = patiently(lambda: runtime.database.run(Scope.tenant(tenant, durable=False), advance))
        runtime.tell(bells=[to_route(tenant, job.id, job.job_class) for job in waiting])


def _allowed(match: Near, models: frozenset[str] | None) -> bool:
    """A job that is replayed under another key keeps its namespace, where other models may have answered."""
    return models is None or match.model in models


def _hit(job: ToEmbed, match: Match, latency_ms: int) -> Ending:
    """The stored answer under its own provenance, at no cost."""
    routing = match.kept.routing.model_copy(
        update={
            "cache": CacheState.SEMANTIC,
            "similarity": match.similarity,
            "cost_cents": "0",
            "attempts": 0,
            "arms": job.arms,
        }
    )
    attempt = Attempt(
        id=new_id(),
        at=datetime.now(UTC),
        kind=AttemptKind.SEMANTIC_HIT,
        outcome=AttemptOutcome.OK,
        provider=routing.provider,
        model=routing.model,
        latency_ms=latency_ms,
        cost_cents=FREE,
        similarity=match.similarity,
    )
    baseline = None
    if routing.baseline_model is not None:
        cents = None if routing.baseline_cost_cents is None else Decimal(routing.baseline_cost_cents)
        baseline = Baseline(model=routing.baseline_model, cost_cents=cents)
    return Ending(
        job.id,
        job.fence,
        JobStatus.COMPLETED,
        api_key_id=job.api_key_id,
        answer=match.kept.answer,
        entry=match.kept.entry,
        routing=routing,
        attempts=(attempt,),
        baseline=baseline,
        arms=job.arms,
        policy=Policy(strategy="cache"),
    )


def warm_up() -> None:
    """Load the model before the first message."""
    embedder().embed(["ready"])


def wind_down() -> None:
    """Nothing to give back: a job stays in stage `embed` until it has been advanced, and the sweeper rings again."""
