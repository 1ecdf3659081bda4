"""Endings of jobs that are answered from the cache."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline, Policy
from aico.core.ids import new_id
from aico.core.jobs import Answer, CacheState, JobStatus, RoutingReport
from aico.core.money import round_cents
from aico.store.claims import Claim, Ending, Hit
from aico.store.grey_zone import Candidate

FREE = Decimal(0)
_STATES = {AttemptKind.EXACT_HIT: CacheState.EXACT, AttemptKind.SEMANTIC_HIT: CacheState.SEMANTIC}


@dataclass(frozen=True, slots=True)
class Trust:
    """How sure it was that an answer serves another question than its own."""

    score: float  # the probability
    bound: float | None  # of the namespace's error per hit; None: not known yet
    target: float  # the error per hit that the tenant allows
    judged: int  # samples of which the bound was computed


@dataclass(frozen=True, slots=True)
class Served:
    """A kept answer under its own provenance, and how it was found."""

    entry: UUID
    answer: Answer
    routing: RoutingReport
    kind: Literal[AttemptKind.EXACT_HIT, AttemptKind.SEMANTIC_HIT]
    similarity: float | None = None
    trust: Trust | None = None


def hit(job: UUID, fence: int, api_key: UUID | None, arms: tuple[str, ...], served: Served, latency_ms: int) -> Ending:
    """The stored answer under its own provenance, at no cost."""
    routing = served.routing.model_copy(
        update={
            "cache": _STATES[served.kind],
            "similarity": served.similarity,
            **_trusted(served.trust),
            "cost_cents": "0",
            "attempts": 0,
            "arms": arms,
        }
    )
    attempt = Attempt(
        id=new_id(),
        at=datetime.now(UTC),
        kind=served.kind,
        outcome=AttemptOutcome.OK,
        provider=routing.provider,
        model=routing.model,
        latency_ms=latency_ms,
        cost_cents=FREE,
        similarity=served.similarity,
    )
    baseline = None
    if routing.baseline_model is not None:
        cents = None if routing.baseline_cost_cents is None else Decimal(routing.baseline_cost_cents)
        baseline = Baseline(model=routing.baseline_model, cost_cents=cents)
    return Ending(
        job,
        fence,
        JobStatus.COMPLETED,
        api_key_id=api_key,
        answer=served.answer,
        entry=served.entry,
        routing=routing,
        attempts=(attempt,),
        baseline=baseline,
        arms=arms,
        policy=Policy(strategy="cache"),
    )


def _trusted(trust: Trust | None) -> dict[str, float | None]:
    """Fields of a routing report."""
    if trust is None:
        return {}
    return {
        "cache_score": trust.score,
        "error_bound": trust.bound,
        "error_target": trust.target,
        "judged": trust.judged,
    }


def exact_hit(claim: Claim, found: Hit) -> Ending:
    """Of an answer that came after the job was stored; what the job had spent by then, it has spent."""
    served = Served(found.entry, found.answer, found.routing, AttemptKind.EXACT_HIT)
    return _after_attempts(claim, served, latency_ms=0)


def asked_hit(claim: Claim, found: Candidate, judge: str, latency_ms: int) -> Ending:
    """Of an answer of which a judge said that it serves; that is among what the job has spent."""
    said = f"{judge} was asked whether the kept answer serves this question, and said so"
    routing = found.routing.model_copy(update={"reasons": (*found.routing.reasons, said)})
    served = Served(found.entry, found.answer, routing, AttemptKind.SEMANTIC_HIT, found.similarity)
    return _after_attempts(claim, served, latency_ms)


def _after_attempts(claim: Claim, served: Served, latency_ms: int) -> Ending:
    ending = hit(claim.id, claim.fence, claim.api_key_id, claim.policy.assigned.arms, served, latency_ms)
    if not claim.attempts or ending.routing is None:
        return ending
    spent = {"cost_cents": str(round_cents(claim.spent_cents)), "attempts": claim.attempts}
    return replace(ending, routing=ending.routing.model_copy(update=spent), spent_cents=claim.spent_cents)
