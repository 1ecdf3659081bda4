"""What is told of jobs in traces while they are worked on: who took them on, what was found, decided and judged."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from aico.core.attempts import Attempt
from aico.core.chat import Completion
from aico.routing.auditing import Likeness
from aico.routing.judging import Verdict
from aico.routing.models import Model
from aico.store.claims import Claim
from aico.store.embeddings import ToEmbed
from aico.store.lanes import Asked
from aico.store.shadow_pairs import HeldPair, Purpose
from aico.tracing import spans
from aico.tracing.context import TraceContext
from aico.tracing.genai import (
    EVALUATION,
    call_attributes,
    dollars,
    embedding_attributes,
    error_type,
    evaluation,
    span_name,
)
from aico.tracing.spans import Attributes, Kind, Silence, Span, nanos
from aico.workers.answers import Choice
from aico.workers.ended import named
from aico.workers.queue import Queue


def embedding(wanted: Sequence[ToEmbed], model: str) -> Span | Silence:
    """One call of the model for many jobs: of no job's trace, and linked to each of theirs."""
    if not spans.on():
        return spans.SILENCE
    links = [_own(job.id, job.traceparent) for job in wanted]
    for job, own in zip(wanted, links, strict=True):
        _queued(own, job.rung_at, Queue.EMBED.value)
    span = spans.span(span_name("embeddings", model), links=links)
    return _about(span, {**embedding_attributes(model), "aico.batch.size": len(links)})


def looked_up(tenant: UUID, began: int, wanted: Sequence[ToEmbed], results: Mapping[UUID, Attributes]) -> None:
    """Each job's part of a look into the cache that many have had together; `began` in nanoseconds of Unix time."""
    for job in wanted:
        told = {**named(tenant, job.id), **results.get(job.id, {})}
        spans.told("cache lookup", began, told, parent=_own(job.id, job.traceparent))


def routing(claim: Claim) -> Span | Silence:
    """The second hop."""
    if not spans.on():
        return spans.SILENCE
    own = _own(claim.id, claim.traceparent)
    _queued(own, claim.rung_at, claim.job_class.value)
    return _about(spans.span("route", own), {**named(claim.tenant, claim.id), "aico.job.fence": claim.fence})


def comparing(held: HeldPair) -> Span | Silence:
    """The work on a pair of answers, after the job's own end."""
    if not spans.on():
        return spans.SILENCE
    span = spans.span("compare", _own(held.job, held.traceparent))
    return _about(span, {**named(held.tenant, held.job), "aico.compare.purpose": held.purpose.value})


def laned(job: Asked, attempt: Attempt, model: Model, completion: Completion | None) -> None:
    """A job's line of a provider's batch, from the batch's creation on."""
    if not spans.on():
        return
    name = model.provider_model
    told = call_attributes(job.request, attempt, name, completion, address=None, streamed=False)
    began, parent, error = nanos(attempt.at), _own(job.id, job.traceparent), error_type(attempt, None)
    spans.told(span_name("chat", name), began, told, parent=parent, kind=Kind.CLIENT, error=error)


def judged(purpose: Purpose, verdict: str | None) -> None:
    """What a judge has said, in the span of who asked him. None: nothing that is a verdict."""
    if verdict is None or not spans.on():
        return
    if purpose is Purpose.QUALITY:
        given = evaluation("answer_quality", verdict, Verdict(verdict).quality)
    else:
        given = evaluation("cached_answer_serves", verdict, float(verdict == Likeness.SAME))
    spans.event(EVALUATION, given)


def decision(choice: Choice) -> Attributes:
    """Names and figures of a decision."""
    made = choice.decision
    return {
        "aico.route.strategy": made.strategy,
        "aico.route.policy_version": made.policy_version,
        "aico.route.candidates": [model.id for model in made.candidates],
        "aico.route.task": choice.features.task.value,
        "aico.route.score": made.score,
        "aico.route.confidence": made.confidence,
        "aico.route.propensity": made.propensity,
        "aico.route.expected_cost_usd": dollars(choice.cents.get(made.candidates[0].id)),
    }


def _about(span: Span | Silence, attributes: Attributes) -> Span | Silence:
    if isinstance(span, Span):
        span.attributes |= attributes
    return span


def _queued(job: TraceContext, rung_at: datetime | None, queue: str) -> None:
    """Until now, since its bell rang."""
    if rung_at is not None:
        spans.told("queue", nanos(rung_at), {"messaging.destination.name": queue}, parent=job)


def _own(job: UUID, asked: str | None) -> TraceContext:
    return spans.of_job(job, asked)[0]
