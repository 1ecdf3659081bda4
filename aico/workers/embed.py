"""First hop: vectors in micro-batches, then the tenant's cache. A hit ends the job; a miss goes on to routing."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline, Policy
from aico.core.ids import new_id
from aico.core.jobs import CacheMode, CacheState, JobStatus
from aico.embedding_service.factory import load_embedder
from aico.embedding_service.protocol import Embedder
from aico.store import cache as cache_store
from aico.store import claims
from aico.store.cache import Match
from aico.store.claims import Ending, ToEmbed
from aico.store.scope import Scope
from aico.workers.app import app
from aico.workers.finish import finish
from aico.workers.microbatch import MicroBatch
from aico.workers.queue import TaskName, by_tenant, to_route
from aico.workers.runtime import Runtime, get_runtime, patiently

FREE = Decimal(0)
Vector = NDArray[np.float32]


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
                (Scope.tenant(tenant), claims.to_embed(tenant, ids, runtime.settings.similarity_threshold))
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
        probe = cache_store.probe(tenant, [job for job, _ in readers], [vector for _, vector in readers], model)
        matches = {match.job: match for match in patiently(lambda: runtime.database.run(Scope.tenant(tenant), probe))}
    latency_ms = int((time.monotonic() - started) * 1000)
    finish(
        runtime, tenant, [_hit(job, match, latency_ms) for job in batch if (match := matches.get(job.id)) is not None]
    )
    missed = [(job, vector) for job, vector in zip(batch, vectors, strict=True) if job.id not in matches]
    if missed:
        advance = claims.advance(tenant, [job for job, _ in missed], [vector for _, vector in missed], model)
        waiting = patiently(lambda: runtime.database.run(Scope.tenant(tenant, durable=False), advance))
        runtime.tell(bells=[to_route(tenant, job.id, job.job_class) for job in waiting])


def _hit(job: ToEmbed, match: Match, latency_ms: int) -> Ending:
    """The stored answer under its own provenance, at no cost."""
    routing = match.routing.model_copy(
        update={"cache": CacheState.SEMANTIC, "similarity": match.similarity, "cost_cents": "0", "attempts": 0}
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
        answer=match.answer,
        routing=routing,
        attempts=(attempt,),
        baseline=baseline,
        policy=Policy(strategy="cache"),
    )


def warm_up() -> None:
    """Load the model before the first message."""
    embedder().embed(["ready"])


def wind_down() -> None:
    """Nothing to give back: a job stays in stage `embed` until it has been advanced, and the sweeper rings again."""
