"""Statements by which the holder of a job has a model say whether a kept answer serves it: noted, booked, remembered.

What that may cost counts as spent from the moment when it is asked, so that a worker's death leaves it booked once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.attempts import Attempt, known_cost
from aico.core.jobs import Answer, RoutingReport
from aico.store.claims import Claim, event_of
from aico.store.shadow_pairs import PairCall
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("grey_zone")
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """The answer that was looked at, to a question near the job's."""

    entry: UUID
    question: str
    answer: Answer
    routing: RoutingReport
    similarity: float


def candidate(held: Claim) -> Statement[Candidate]:
    """No row: it is gone, too old, or known not to serve this question; or somebody was asked before."""
    return Statement(_SQL["candidate"], _fenced(held), _candidate)


def _candidate(row: Row) -> Candidate:
    return Candidate(
        entry=row["entry_id"],
        question=row["question"],
        answer=Answer.model_validate(row["answer"]),
        routing=RoutingReport.model_validate(row["routing"]),
        similarity=row["similarity"],
    )


def begin(held: Claim, call: PairCall, *, tenant_budget: Decimal, service_budget: Decimal) -> Statement[bool]:
    """Whether it may be made, once. It is noted and counts as spent, as if it cost `call.cents`."""
    params = {
        **_fenced(held),
        "call": Jsonb(call.model_dump(mode="json")),
        "cents": call.cents,
        "tenant_budget": tenant_budget,
        "service_budget": service_budget,
    }
    return Statement(_SQL["begin"], params, lambda row: bool(row["begun"]))


@dataclass(frozen=True, slots=True)
class Heard:
    """What a judge said of an entry's answer. None: no verdict."""

    entry: UUID
    same: bool | None
    audited: bool  # it is drawn, to be answered afresh if it is served
    chance: float  # with which


@dataclass(frozen=True, slots=True)
class Settled:
    held: bool  # the job is still the holder's
    remembered: bool  # and there was a verdict, on an answer that is still there


def settle(held: Claim, call: PairCall, made: Sequence[Attempt], heard: Heard) -> Statement[Settled]:
    """Book what was made, whoever holds the job now, in place of what was expected; remember the verdict."""
    cost = known_cost(made)
    params = {
        **_fenced(held),
        "events": Jsonb([event_of(held, attempt) for attempt in made]),
        "made": len(made),
        "cost": cost,
        "differs": cost - (call.cents or _NOTHING),
        "entry": heard.entry,
        "same": heard.same,
        "audited": heard.audited,
        "chance": heard.chance,
    }
    return Statement(_SQL["settle"], params, lambda row: Settled(row["held"], row["remembered"]))


def _fenced(held: Claim) -> dict[str, Any]:
    return {"tenant": held.tenant, "id": held.id, "fence": held.fence}
