"""Statements by which workers take jobs on, put them back and end them: each fenced, so that only the holder may."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.attempts import Attempt, AttemptKind, Baseline, Call, Policy, known_cost
from aico.core.chat import ChatRequest
from aico.core.comparing import Wishes
from aico.core.jobs import Answer, CacheMode, JobClass, JobError, JobStatus, RoutingReport
from aico.core.money import round_cents
from aico.core.signals import Signal
from aico.store.cache_checks import NewCheck
from aico.store.decisions import Decided, Grounds
from aico.store.flights import Next, all_next
from aico.store.job_policy import JobPolicy
from aico.store.ledger import conclusion, event_row
from aico.store.provider_keys import TenantKey, keys_of
from aico.store.shadow_pairs import wishes_of
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("claims")


ClaimKey = tuple[UUID, int]  # a job may be claimed again by the same process; the fence tells the claims apart


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer to the same question that is kept, and may be served to the job."""

    entry: UUID
    answer: Answer
    routing: RoutingReport


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer a job until the lease runs out; `fence` proves it."""

    tenant: UUID
    id: UUID
    fence: int
    request: ChatRequest
    job_class: JobClass
    cache_mode: CacheMode
    api_key_id: UUID | None
    policy: JobPolicy
    grounds: Grounds
    streams: bool  # pieces of the answer are published as they come
    taken_over: bool  # another worker held it and stopped renewing its lease
    interrupted: Call | None  # the call that worker was making, if it could say so
    keys: Mapping[str, TenantKey]  # the tenant's own, by provider
    seconds_left: float
    deadline_given: bool
    lane_untried: bool
    reserved_model: str | None  # for which a place in its rate limit is reserved now
    retries: int
    max_retries: int
    attempts: int  # made before this claim, with what is known of their cost
    spent_cents: Decimal
    wishes: Wishes  # the tenant's, about outcomes
    flew: bool = False  # it was claimed before, and others may wait for it
    hit: Hit | None = None  # what it is answered with, without a call
    near_probability: float | None = None  # that a kept answer serves it, where a model may be asked
    traceparent: str | None = None  # of the request that made it
    rung_at: datetime | None = None  # when a worker was last told of it

    @property
    def key(self) -> ClaimKey:
        return self.id, self.fence


def claim(tenant: UUID, job: UUID, lease_seconds: float) -> Statement[Claim]:
    """No row: the job is finished, is to wait, or somebody else holds it; or it follows another that asks the same.

    O(1): lookups by index, and one more row that is locked where the job follows.
    """

    def parse(row: Row) -> Claim:
        return Claim(
            tenant=tenant,
            id=row["id"],
            fence=row["fence"],
            request=ChatRequest.model_validate(row["request"]),
            job_class=JobClass(row["class"]),
            cache_mode=CacheMode(row["cache_mode"]),
            api_key_id=row["api_key_id"],
            policy=JobPolicy.of(row),
            grounds=Grounds.of(tenant, row),
            streams=row["streams"],
            taken_over=row["taken_over"],
            interrupted=Call.model_validate(row["calling"]) if row["calling"] else None,
            keys=keys_of(row["provider_keys"]),
            seconds_left=row["seconds_left"],
            deadline_given=row["deadline_given"],
            lane_untried=row["lane_untried"],
            reserved_model=row["reserved_model"],
            retries=row["retries"],
            max_retries=row["max_retries"],
            attempts=row["attempts"],
            spent_cents=row["spent_cents"],
            wishes=wishes_of(row),
            flew=row["flew"],
            hit=_hit(row),
            near_probability=row["near_probability"],
            traceparent=row["traceparent"],
            rung_at=row["rung_at"],
        )

    return Statement(_SQL["claim"], {"tenant": tenant, "id": job, "lease": lease_seconds}, parse)


def _hit(row: Row) -> Hit | None:
    if row["entry"] is None:
        return None
    return Hit(row["entry"], Answer.model_validate(row["answer"]), RoutingReport.model_validate(row["routing"]))


def renew(held: Sequence[Claim], lease_seconds: float) -> Statement[ClaimKey]:
    """One statement a process: extends every lease that it still holds, and returns which those are."""
    return Statement(_SQL["renew"], {**_claims(held), "lease": lease_seconds}, lambda row: (row["id"], row["fence"]))


def note(calls: Sequence[tuple[Claim, Call]], failed: Sequence[tuple[Claim, Attempt]]) -> Statement[None]:
    """Remember what is being called, and book what has failed already: a crash must leave a trace of the money."""
    params = {
        **_claims([held for held, _ in [*calls, *failed]]),
        "ids": [held.id for held, _ in calls],
        "fences": [held.fence for held, _ in calls],
        "calls": [Jsonb(call.model_dump(mode="json")) for _, call in calls],
        "events": Jsonb([event_of(held, attempt) for held, attempt in failed]),
    }
    return Statement(_SQL["note"], params, no_row)


def lose(held: Claim, attempt: Attempt) -> Statement[None]:
    """Book the call of the worker that held the job before, and count it."""
    params = {
        "tenant": held.tenant,
        "id": held.id,
        "fence": held.fence,
        "cents": attempt.cost_cents,
        "events": Jsonb([event_of(held, attempt)]),
    }
    return Statement(_SQL["lose"], params, no_row)


def event_of(held: Claim, attempt: Attempt) -> dict[str, Any]:
    """As a row of the outbox."""
    policy = Policy(strategy="cache") if attempt.kind is AttemptKind.JUDGE else None
    return event_row(held.tenant, held.id, held.api_key_id, attempt, policy)


def _claims(held: Sequence[Claim]) -> dict[str, Any]:
    return {
        "tenants": list({claim.tenant for claim in held}),
        "ids": [claim.id for claim in held],
        "fences": [claim.fence for claim in held],
    }


@dataclass(frozen=True, slots=True)
class PutBack:
    """A claim given back: the job is answered later, by anybody. `attempts` go to the ledger even when refused."""

    claim: Claim
    reason: str  # stable, for programs
    message: str
    pause_seconds: float = 0.0
    counts: bool = False  # as one of the job's retries
    reserved_model: str | None = None
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    id: UUID
    job_class: JobClass
    run_after: datetime | None  # None: at once


def put_back(put: PutBack) -> Statement[Held]:
    """Fenced. No row: the job has ended, or a newer claim holds it."""
    held = put.claim
    params = {
        "tenant": held.tenant,
        "id": held.id,
        "fence": held.fence,
        "reason": put.reason,
        "message": put.message,
        "pause": float(put.pause_seconds),
        "counts": put.counts,
        "reserved_model": put.reserved_model,
        "attempts": len(put.attempts),
        "spent": known_cost(put.attempts),
        "events": Jsonb([event_of(held, attempt) for attempt in put.attempts]),
    }
    return Statement(_SQL["put_back"], params, lambda row: Held(row["id"], JobClass(row["class"]), row["run_after"]))


@dataclass(frozen=True, slots=True)
class Rival:
    """An answer that the caller was not given."""

    model: str
    answer: str


@dataclass(frozen=True, slots=True)
class Ending:
    """A job's final state. `keep` caches the answer; `attempts` go to the ledger even when the ending is refused."""

    id: UUID
    fence: int
    status: JobStatus
    api_key_id: UUID | None = None
    answer: Answer | None = None
    entry: UUID | None = None  # of the cache, where the answer is a copy of what is kept there
    routing: RoutingReport | None = None
    error: JobError | None = None
    keep: bool = False
    lifetime_seconds: float | None = None  # for which it may be kept; None: as long as others of its namespace
    attempts: tuple[Attempt, ...] = field(default=())
    baseline: Baseline | None = None
    policy: Policy | None = None
    decided: Decided | None = None
    arms: tuple[str, ...] = ()
    spent_cents: Decimal = Decimal(0)  # by attempts before these
    signals: tuple[Signal, ...] = ()  # what it says of the models that were asked
    compare: bool = False  # the answer is to be compared with another model's
    rival: Rival | None = None  # which is already there; None: it is to be asked
    check: NewCheck | None = None  # of the answer from the cache, that it is to be judged

    @property
    def cost_cents(self) -> Decimal | None:
        """All that the job cost; None where nobody knows what the last attempt did."""
        if not self.attempts or self.attempts[-1].cost_cents is None:
            return None
        return round_cents(self.spent_cents + known_cost(self.attempts))

    def events(self, tenant: UUID) -> list[dict[str, Any]]:
        """Rows of the ledger. What is said of the job as a whole stands with its last attempt, and so counts once."""
        key, policy = self.api_key_id, self.policy
        events = [event_row(tenant, self.id, key, attempt, policy) for attempt in self.attempts]
        if events:
            spent = self.spent_cents + known_cost(self.attempts)
            events[-1] |= conclusion(self.attempts[-1], self.baseline, self.arms, spent)
        return events


@dataclass(frozen=True, slots=True)
class Ended:
    id: UUID
    deliveries: list[UUID]  # to webhook endpoints, made in the same transaction
    next: tuple[Next, ...] = ()  # who leads from now on, where others waited for it and have no answer


def finish(tenant: UUID, endings: Sequence[Ending], cache_ttl_seconds: float) -> Statement[Ended]:
    """Fenced: only a job still open at the same fence ends. Returns those that did, and tells endpoints of them.

    An answer is kept for as long as its namespace says, else its tenant, else `cache_ttl_seconds`; never longer than
    the tenant keeps answers at all or its own lifetime allows.

    With a job whose answer may be served again those end that follow it, and are returned too. O(endings + followers).
    """
    params = {
        "tenant": tenant,
        "ids": [ending.id for ending in endings],
        "fences": [ending.fence for ending in endings],
        "statuses": [ending.status.value for ending in endings],
        "answers": [_jsonb(ending.answer) for ending in endings],
        "routings": [_jsonb(ending.routing) for ending in endings],
        "errors": [_jsonb(ending.error) for ending in endings],
        "keeps": [ending.keep for ending in endings],
        "lifetimes": [ending.lifetime_seconds for ending in endings],
        "entries": [ending.entry for ending in endings],
        "compares": [ending.compare for ending in endings],
        "rivals": [ending.rival and ending.rival.model for ending in endings],
        "rival_answers": [ending.rival and ending.rival.answer for ending in endings],
        "checks": Jsonb([one.check.row(one.id) for one in endings if one.check is not None]),
        "signals": Jsonb([signal.row(one.id) for one in endings for signal in one.signals]),
        "costs": [ending.cost_cents for ending in endings],
        "ttl": cache_ttl_seconds,
        "events": Jsonb([event for ending in endings for event in ending.events(tenant)]),
        "decisions": Jsonb([one.decided.row(one.id) for one in endings if one.decided is not None]),
    }
    return Statement(_SQL["finish"], params, lambda row: Ended(row["id"], row["deliveries"], all_next(row["next"])))


def _jsonb(model: Answer | RoutingReport | JobError | None) -> Jsonb | None:
    return None if model is None else Jsonb(model.model_dump(mode="json", exclude_none=True))
