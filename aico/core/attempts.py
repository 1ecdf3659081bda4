"""One row of the ledger: an attempt to answer, whether it reached a provider or the cache, and what it cost."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from aico.core.usage import Usage


class AttemptKind(StrEnum):
    CALL = "call"
    EXACT_HIT = "exact_hit"
    SEMANTIC_HIT = "semantic_hit"
    SHARED = "shared"  # answered by the call of another job that asked the same at the same time
    SHADOW = "shadow"  # what another model would have said, for comparison; nobody is given it
    JUDGE = "judge"  # which of two answers is better, or whether a kept one serves


OF_ROUTING = frozenset({AttemptKind.SHADOW, AttemptKind.JUDGE})  # nobody's answer: what routing costs to learn


class AttemptOutcome(StrEnum):
    OK = "ok"
    RETRYABLE = "retryable"  # 408, 409, 429, 5xx or the network; another try may succeed
    FATAL = "fatal"  # the provider refused this request; only another model may succeed
    CANCELLED = "cancelled"
    LOST = "lost"  # the worker died while the call was in flight; its cost is unknown


class KeySource(StrEnum):
    """With whose key the provider was called, and so who is sent its bill."""

    OPERATOR = "operator"
    TENANT = "tenant"


class Call(BaseModel):
    """A call that is about to be made, and what it is expected to cost: all that is known if its worker dies.

    `id` is that of the attempt that it becomes, where that is known; `booked` says that it is one already.
    """

    model_config = ConfigDict(frozen=True)

    provider: str
    model: str
    at: datetime
    cents: Decimal | None
    key_source: KeySource = KeySource.OPERATOR
    id: UUID | None = None
    kind: AttemptKind = AttemptKind.CALL
    booked: bool = False


class Attempt(BaseModel):
    """`id` makes recording idempotent. A `cost_cents` of None means that no price is known: never free, never zero."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    at: datetime
    kind: AttemptKind
    outcome: AttemptOutcome
    provider: str
    model: str
    latency_ms: Annotated[int, Field(ge=0)]
    usage: Usage = Usage()
    cost_cents: Decimal | None = None
    price_version: str | None = None
    http_status: int | None = None
    error: str | None = None  # short and free of secrets
    similarity: float | None = None
    key_source: KeySource = KeySource.OPERATOR
    text_tokens: int | None = None  # that we counted in the prompt; None where that says little about its bill


class Baseline(BaseModel):
    """What the same tokens would have cost at the tenant's baseline model's list price."""

    model_config = ConfigDict(frozen=True)

    model: str
    cost_cents: Decimal | None


class Policy(BaseModel):
    """Who chose the model and how likely the choice was: what later lets history be judged under another policy."""

    model_config = ConfigDict(frozen=True)

    strategy: str
    version: str | None = None
    propensity: Annotated[float, Field(gt=0, le=1)] | None = None
    assignment_unit: str | None = None


def assignment_unit(arms: Iterable[str]) -> str | None:
    """How the ledger names what a job was drawn into; None: nothing."""
    return " ".join(arms) or None


def known_cost(attempts: Iterable[Attempt]) -> Decimal:
    """US cents of those whose price is known."""
    return sum((attempt.cost_cents for attempt in attempts if attempt.cost_cents is not None), Decimal(0))
