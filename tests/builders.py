"""Plain values that many tests need."""

from collections.abc import Iterable
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from aico.core.canonical import cache_key
from aico.core.chat import ChatRequest, FinishReason, Message, Role
from aico.core.ids import new_id
from aico.core.jobs import NO_CONTROLS, Answer, CacheMode, CacheState, Controls, JobClass, JobStatus, RoutingReport
from aico.store.claims import Claim, Ending
from aico.store.embeddings import Passed, ToEmbed
from aico.store.jobs import IdempotencyKey, NewJob


def chat(prompt: str) -> ChatRequest:
    return ChatRequest(messages=(Message(role=Role.USER, content=prompt),))


def new_job(
    prompt: str,
    *,
    mode: CacheMode = CacheMode.SEMANTIC,
    job_class: JobClass = JobClass.INTERACTIVE,
    timeout_seconds: float = 600,
    priority: int = 0,
    key: IdempotencyKey | None = None,
    controls: Controls = NO_CONTROLS,
    streams: bool = False,
) -> NewJob:
    request = chat(prompt)
    return NewJob(
        id=new_id(),
        api_key_id=None,
        job_class=job_class,
        cache_mode=mode,
        request=request.model_dump(mode="json", exclude_defaults=True),
        key=cache_key(request),
        metadata={"team": "a"},
        timeout_seconds=timeout_seconds,
        priority_seconds=priority,
        idempotency=key,
        controls=controls,
        streams=streams,
    )


def completed(job: UUID, fence: int, *, text: str = "Paris.", keep: bool = True) -> Ending:
    return Ending(
        job,
        fence,
        JobStatus.COMPLETED,
        answer=Answer(text=text, finish_reason=FinishReason.STOP, input_tokens=5, output_tokens=3),
        routing=RoutingReport(
            provider="local",
            model="smollm2-135m",
            strategy="complexity",
            cache=CacheState.MISS,
            cost_cents="0.5",
            baseline_model="gpt-5.4",
            baseline_cost_cents="2",
        ),
        keep=keep,
    )


def ending_of(claim: Claim, *, text: str = "Paris.", keep: bool = True) -> Ending:
    return completed(claim.id, claim.fence, text=text, keep=keep)


def passed(jobs: Iterable[ToEmbed], vectors: Iterable[NDArray[np.float32] | None]) -> list[Passed]:
    """By the cache, with nothing near them."""
    return [Passed(job, vector) for job, vector in zip(jobs, vectors, strict=True)]


def unit_vector(seed: int) -> NDArray[np.float32]:
    vector = np.random.default_rng(seed).standard_normal(384).astype(np.float32)
    return vector / np.float32(np.linalg.norm(vector))
