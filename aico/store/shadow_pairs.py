"""Statements about pairs of answers: taken on by one worker at a time under a lease and a fence, call by call.

What a call gave is stored with its booking, so that no call is made twice but one that was under way when its worker
died. That one is booked as lost, under the id that it would have had.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.attempts import Attempt, AttemptKind, Call
from aico.core.chat import ChatRequest
from aico.core.comparing import Wishes
from aico.core.entry_quality import LEAST_GOOD
from aico.core.jobs import Answer
from aico.store.api_keys import models_of
from aico.store.ledger import event_row
from aico.store.provider_keys import TenantKey, keys_of
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("shadow_pairs")
_NOTHING = Decimal(0)

Judged = Literal["judge", "same"]  # by a model, or there was nothing to judge: both answers have the same words


class Purpose(StrEnum):
    """What a pair is to show."""

    QUALITY = "quality"  # which of two models answers better
    CACHE = "cache"  # whether a cached answer serves the question as well as one of its own


class CheckKind(StrEnum):
    """What the cache decided about the answer that is checked."""

    HIT = "hit"  # it was served
    HELD = "held"  # it would have been, if the namespace were not on probation
    NEAR = "near"  # it scored too little
    ASKED = "asked"  # it was in doubt, and served because a model said that it serves
    EXACT = "exact"  # it was served to the same question


class PairCall(Call):
    """A call of which `id` is that of the attempt that it becomes."""

    id: UUID
    kind: AttemptKind


@dataclass(frozen=True, slots=True)
class DuePair:
    tenant: UUID
    job: UUID


def due(*, limit: int) -> Statement[DuePair]:
    """Of all tenants, those that wait for somebody."""
    return Statement(_SQL["due"], {"limit": limit}, lambda row: DuePair(row["tenant_id"], row["job_id"]))


@dataclass(frozen=True, slots=True)
class HeldPair:
    """The right to work on a pair until the lease runs out; `fence` proves it."""

    tenant: UUID
    job: UUID
    purpose: Purpose
    check: CheckKind | None  # of a pair of the cache; None: that is gone
    fence: int
    request: ChatRequest
    served: str  # model
    given: Answer  # to the caller
    rival: str | None  # model; None: not chosen yet
    judge: str | None
    answer: str | None  # the rival's, once there is one; of a decision not to serve one, the cached one
    first_verdict: str | None  # with the given answer in the first place
    second_verdict: str | None
    interrupted: PairCall | None  # by the death of the worker that held it before
    tries: int  # that failed
    age_seconds: float
    reserved: str | None  # the place in a rate limit for which it waited
    wishes: Wishes
    models: frozenset[str] | None  # that the job's API key may use; None: all
    keys: Mapping[str, TenantKey]  # the tenant's own, by provider
    traceparent: str | None = None  # of the request that made the job


def claim(tenant: UUID, job: UUID, lease_seconds: float) -> Statement[HeldPair]:
    """A pair of the job. No row: it has ended, is to wait, or somebody else holds it."""
    params = {"tenant": tenant, "job": job, "lease": lease_seconds}
    return Statement(_SQL["claim"], params, lambda row: _held(tenant, job, row))


def _held(tenant: UUID, job: UUID, row: Row) -> HeldPair:
    return HeldPair(
        tenant=tenant,
        job=job,
        purpose=Purpose(row["purpose"]),
        check=row["kind"] and CheckKind(row["kind"]),
        fence=row["fence"],
        request=ChatRequest.model_validate(row["request"]),
        served=row["served"],
        given=Answer.model_validate(row["given"]),
        rival=row["rival"],
        judge=row["judge"],
        answer=row["answer"],
        first_verdict=row["first_verdict"],
        second_verdict=row["second_verdict"],
        interrupted=PairCall.model_validate(row["calling"]) if row["calling"] else None,
        tries=row["tries"],
        age_seconds=row["age_seconds"],
        reserved=row["reserved"],
        wishes=wishes_of(row),
        models=models_of(row),
        keys=keys_of(row["provider_keys"]),
        traceparent=row["traceparent"],
    )


def wishes_of(row: Row) -> Wishes:
    """Of a row with these columns of the tenant."""
    return Wishes(
        implicit_outcomes=row["implicit_outcomes"],
        shadow_rate=row["shadow_rate"],
        judge_model=row["judge_model"],
        judge_daily_cents=row["judge_daily_cents"],
        own_keys=row["compare_with_own_keys"],
        draw_salt=row["draw_salt"],
    )


def renew(held: HeldPair, lease_seconds: float) -> Statement[None]:
    return Statement(_SQL["renew"], {**_fenced(held), "lease": lease_seconds}, no_row)


class Room(StrEnum):
    HELD = "held"
    BUSY = "busy"  # there will be, if pairs under way give back what they do not need
    SPENT = "spent"


def hold(held: HeldPair, cents: Decimal, *, tenant_budget: Decimal, service_budget: Decimal) -> Statement[Room | None]:
    """Put aside what the calls to come may cost today, if the budgets have room. None: the claim is lost."""
    budgets = {"cents": cents, "tenant_budget": tenant_budget, "service_budget": service_budget}
    return Statement(_SQL["hold"], {**_fenced(held), **budgets}, lambda row: row["held"] and Room(row["held"]))


def plan(held: HeldPair, rival: str, judge: str) -> Statement[None]:
    """Remember who answers and who judges: whoever takes it over goes on with them."""
    return Statement(_SQL["plan"], {**_fenced(held), "rival": rival, "judge": judge}, no_row)


def note(held: HeldPair, call: PairCall) -> Statement[UUID]:
    """Remember a call before it is made. No row: the claim is lost, and it must not be made."""
    params = {**_fenced(held), "calling": Jsonb(call.model_dump(mode="json"))}
    return Statement(_SQL["note"], params, lambda row: row["job_id"])


@dataclass(frozen=True, slots=True)
class Gain:
    """What came of a call."""

    answer: str | None = None
    first_verdict: str | None = None
    second_verdict: str | None = None
    failed: bool = False


def book(held: HeldPair, attempt: Attempt, gain: Gain) -> Statement[bool]:
    """Book a call that has ended, with what came of it; whether the claim still holds.

    The money is spent either way, and is booked once, whoever books it.
    """
    params = {
        **_fenced(held),
        "answer": gain.answer,
        "first": gain.first_verdict,
        "second": gain.second_verdict,
        "failed": gain.failed,
        "cents": attempt.cost_cents or _NOTHING,
        "events": Jsonb([event_row(held.tenant, held.job, None, attempt)]),
    }
    return Statement(_SQL["book"], params, lambda row: row["held"])


def postpone(held: HeldPair, pause_seconds: float, reserved: str | None = None) -> Statement[None]:
    """`reserved` is the place in a rate limit for which it waits."""
    return Statement(_SQL["postpone"], {**_fenced(held), "pause": pause_seconds, "reserved": reserved}, no_row)


@dataclass(frozen=True, slots=True)
class Ended:
    result: str
    namespace: bytes | None = None  # of the cache, of whose decisions more is known now


def drop(held: HeldPair, reason: str) -> Statement[None]:
    """End it without a result. `reason` is stable, for programs."""
    params = {**_fenced(held), "result": None, "quality": None, "reason": reason}
    return Statement(_SQL["finish"], params, no_row)


def finish(held: HeldPair, result: str, quality: float) -> Statement[Ended]:
    """End it with the judge's result; `quality` in 0..1 is the served answer's, what is left of 1 the rival's.

    Both become outcomes in the same statement, and the rival's words are deleted. No row: the claim is lost.
    """
    params = {**_fenced(held), "result": result, "quality": quality, "reason": None}
    return Statement(_SQL["finish"], params, lambda _: Ended(result))


def drop_check(held: HeldPair, reason: str) -> Statement[None]:
    """Likewise a pair of the cache, and its check with it."""
    return Statement(_SQL["drop_check"], {**_fenced(held), "reason": reason}, no_row)


def finish_check(held: HeldPair, *, same: bool, source: Judged) -> Statement[Ended]:
    """End a pair of the cache with what was found, and settle its check in the same statement.

    No row: the claim is lost, or the caller has spoken already.
    """
    result = "same" if same else "different"
    params = {**_fenced(held), "result": result, "same": same, "source": source, "least_good": list(LEAST_GOOD)}
    return Statement(_SQL["finish_check"], params, lambda row: Ended(result, row["namespace"]))


def _fenced(held: HeldPair) -> dict[str, Any]:
    return {"tenant": held.tenant, "job": held.job, "purpose": held.purpose.value, "fence": held.fence}
