"""What is told of jobs in traces while they are worked on: who took them on, what was found, decided and judged."""

from collections.abc import Sequence
from uuid import UUID

from aico.core.attempts import Attempt
from aico.core.chat import Completion
from aico.core.ids import made_at
from aico.routing.auditing import Likeness
from aico.routing.judging import Verdict
from aico.routing.models import Model
from aico.store.claims import Claim, Ending
from aico.store.embeddings import Passed, ToEmbed
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
    jobs = [(job.id, _own(job.id, job.traceparent)) for job in wanted]
    for job, own in jobs:
        _queued(own, nanos(made_at(job)), Queue.EMBED.value)
    span = spans.span(span_name("embeddings", model), links=[own for _, own in jobs])
    return _about(span, {**embedding_attributes(model), "aico.batch.size": len(jobs)})


def looked_up(
    tenant: UUID, began: int, hits: Sequence[Ending], passed: Sequence[Passed], wanted: Sequence[ToEmbed]
) -> None:
    """Each job's part of a look into the cache that many have had together; `began` in nanoseconds of Unix time."""
    if not spans.on():
        return
    asked = {job.id: job.traceparent for job in wanted}
    for hit in hits:
        found: Attributes = {"aico.cache.result": "hit", "aico.cache.similarity": hit.attempts[0].similarity}
        spans.told("cache lookup", began, {**named(tenant, hit.id), **found}, parent=_own(hit.id, asked[hit.id]))
    for one in passed:
        job, near = one.job, one.near is not None
        found = {"aico.cache.result": "near" if near else "miss", "aico.cache.probability": one.probability}
        spans.told("cache lookup", began, {**named(tenant, job.id), **found}, parent=_own(job.id, job.traceparent))


def routing(claim: Claim) -> Span | Silence:
    """The second hop."""
    if not spans.on():
        return spans.SILENCE
    own = _own(claim.id, claim.traceparent)
    if claim.rung_at is not None:
        _queued(own, nanos(claim.rung_at), claim.job_class.value)
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


def _queued(job: TraceContext, since: int, queue: str) -> None:
    spans.told("queue", since, {"messaging.destination.name": queue}, parent=job)


def _own(job: UUID, asked: str | None) -> TraceContext:
    return spans.of_job(job, asked)[0]
