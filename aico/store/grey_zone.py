"""Statements by which the holder of a job has a model say which kept answers serve it: noted, booked, remembered.

What that may cost counts as spent from the moment when it is asked, so that a worker's death leaves it booked once.
"""

from collections.abc import Mapping, Sequence
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
    """A kept answer that is in doubt, to a question near the job's."""

    entry: UUID
    question: str
    answer: Answer
    routing: RoutingReport
    similarity: float
    probability: float  # that it serves


def candidates(held: Claim) -> Statement[Candidate]:
    """First the one that was looked at, then the most likely others.

    Not those that are gone, too old, or known not to serve this question; none where somebody was asked before.
    """
    return Statement(_SQL["candidates"], _fenced(held), _candidate)


def _candidate(row: Row) -> Candidate:
    return Candidate(
        entry=row["entry_id"],
        question=row["question"],
        answer=Answer.model_validate(row["answer"]),
        routing=RoutingReport.model_validate(row["routing"]),
        similarity=row["similarity"],
        probability=row["probability"],
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
    """What a judge said of entries' answers, whether each serves, the most likely first; those with a verdict."""

    verdicts: Mapping[UUID, bool]
    audited: bool  # it is drawn, to be answered afresh if one is served
    chance: float  # with which


@dataclass(frozen=True, slots=True)
class Settled:
    held: bool  # the job is still the holder's
    served: UUID | None  # the entry whose answer serves, and is still there


def settle(held: Claim, call: PairCall, made: Sequence[Attempt], heard: Heard) -> Statement[Settled]:
    """Book what was made, whoever holds the job now, in place of what was expected; remember the verdicts."""
    cost = known_cost(made)
    params = {
        **_fenced(held),
        "events": Jsonb([event_of(held, attempt) for attempt in made]),
        "made": len(made),
        "cost": cost,
        "differs": cost - (call.cents or _NOTHING),
        "verdicts": Jsonb([{"entry": str(entry), "same": same} for entry, same in heard.verdicts.items()]),
        "audited": heard.audited,
        "chance": heard.chance,
    }
    return Statement(_SQL["settle"], params, lambda row: Settled(row["held"], row["served"]))


def _fenced(held: Claim) -> dict[str, Any]:
    return {"tenant": held.tenant, "id": held.id, "fence": held.fence}
