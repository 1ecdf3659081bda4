"""When a provider's rate limits have room for a call. Asking first costs a wait; being refused costs a call.

The formula is the generic cell rate algorithm in its virtual-scheduling form (ITU-T Recommendation I.371, annex A; ATM
Forum Traffic Management 4.0, section 4.4.2), with costs of more than one cell. A budget is one number, its theoretical
arrival time: the moment at which it will be full again.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Protocol
from uuid import UUID

from aico.core.attempts import Attempt
from aico.routing.models import Model, RateLimit

BURST_SECONDS = 10.0  # a budget that rested holds what it is granted in so long
LONGEST_PAUSE = 300.0  # seconds; where a provider asks for more, a call now and then finds out whether it still does
_MINUTE = 60.0
_ANY_RATE = 60  # of a budget from which nothing is ever taken


class Unit(StrEnum):
    REQUESTS = "requests"
    TOKENS = "tokens"
    CALLS = "calls"  # without a limit that is known: it is only ever closed by what the provider says


@dataclass(frozen=True, slots=True)
class Budget:
    """`model` None: of the key as a whole. `account`: of which key; None where a call has none."""

    provider: str
    model: str | None
    unit: Unit
    per_minute: int
    account: UUID | None = None

    @property
    def interval(self) -> float:
        """Seconds in which one unit is granted."""
        return _MINUTE / self.per_minute

    @property
    def burst(self) -> float:
        """What a full budget holds, in seconds of its grant: at least one unit."""
        return max(BURST_SECONDS, self.interval)


@dataclass(frozen=True, slots=True)
class Charge:
    """What is taken from one budget. A negative `cost` gives back; `pause` closes the budget for that long."""

    budget: Budget
    cost: float  # in seconds of the budget's grant
    pause: float = 0.0  # seconds from now

    @property
    def horizon(self) -> float:
        """How far ahead of now the arrival time lies at least: a pause ends with an empty budget."""
        return self.pause + self.budget.burst if self.pause > 0 else 0.0

    def wait(self, arrival: float, now: float) -> float:
        """Seconds until the budget has room. A cost beyond the burst waits for a full budget, not for ever."""
        return max(arrival, now) + min(self.cost, self.budget.burst) - self.budget.burst - now

    def charged(self, arrival: float, now: float) -> float:
        """The budget's arrival time after the charge, which is taken whole: those behind wait for what it exceeded."""
        return max(max(arrival, now) + self.cost, now + self.horizon)


@dataclass(frozen=True, slots=True)
class Admission:
    """`wait` in seconds. `arrivals`, the budgets' new times, is None where the wait exceeds the patience."""

    wait: float
    arrivals: tuple[float, ...] | None


def admit(charges: Sequence[Charge], arrivals: Sequence[float], now: float, patience: float) -> Admission:
    """Take all charges or none.

    `arrivals` are the budgets' times before, on the clock of `now`; `patience` is in seconds. All budgets are charged
    at once for a place that the scarcest of them grants later: what waits for one model does not block the others.
    """
    pairs = list(zip(charges, arrivals, strict=True))
    wait = max((charge.wait(arrival, now) for charge, arrival in pairs), default=0.0)
    wait = max(wait, 0.0)
    if wait > patience:
        return Admission(wait, None)
    return Admission(wait, tuple(charge.charged(arrival, now) for charge, arrival in pairs))


def used_tokens(attempt: Attempt) -> int | None:
    """What the provider counts against its limits; None where nobody can know, and the estimate has to stand."""
    if attempt.usage.total > 0:
        return attempt.usage.total
    refused = attempt.http_status is not None and attempt.http_status >= HTTPStatus.BAD_REQUEST
    return 0 if refused else None


class Pacer(Protocol):
    """Thread-safe. Never raises: a limit that is not known to hold is no reason to fail a call.

    `account` is the id of the key that a call is made with, None where there is none. Each has budgets of its own.
    """

    def reserve(self, model: Model, tokens: int, *, patience: float, account: UUID | None = None) -> float | None:
        """Seconds to wait before the call, whose place is reserved; None, and no place, where it exceeds `patience`.

        `tokens` is what prompt and answer are expected to take together.
        """

    def wait(self, model: Model, tokens: int, *, account: UUID | None = None) -> float:
        """What `reserve` would say, in seconds. Reserves nothing."""

    def settle(self, model: Model, reserved_tokens: int, used_tokens: int, *, account: UUID | None = None) -> None:
        """Give back what the call did not take, or take what it took in excess."""

    def back_off(self, model: Model, seconds: float, *, account: UUID | None = None) -> None:
        """The provider refused a call all the same, or says that it would: no place before so many seconds are over."""


class NoPacer:
    """Nothing is limited."""

    def reserve(self, model: Model, tokens: int, *, patience: float, account: UUID | None = None) -> float | None:
        del model, tokens, patience, account
        return 0.0

    def wait(self, model: Model, tokens: int, *, account: UUID | None = None) -> float:
        del model, tokens, account
        return 0.0

    def settle(self, model: Model, reserved_tokens: int, used_tokens: int, *, account: UUID | None = None) -> None:
        """Nothing was reserved."""

    def back_off(self, model: Model, seconds: float, *, account: UUID | None = None) -> None:
        """There is nothing to hold back."""


class BudgetPacer(ABC):
    """Says which budgets a call concerns. Where their arrival times are kept is the subclass's."""

    def __init__(self, limits: Sequence[RateLimit], *, heeds_all: bool = False) -> None:
        """`heeds_all`: a provider that has refused a call for its rate is waited for where it has no limit here too."""
        self._limits = limits
        self._heeds_all = heeds_all

    def reserve(self, model: Model, tokens: int, *, patience: float, account: UUID | None = None) -> float | None:
        admission = self._take(self._charges(model, tokens, account), patience)
        return admission.wait if admission.arrivals is not None else None

    def wait(self, model: Model, tokens: int, *, account: UUID | None = None) -> float:
        return self._take(self._charges(model, tokens, account), -1.0).wait

    def settle(self, model: Model, reserved_tokens: int, used_tokens: int, *, account: UUID | None = None) -> None:
        excess = used_tokens - reserved_tokens
        budgets = [budget for budget in self._budgets(model, account) if budget.unit is Unit.TOKENS]
        if excess:
            self._take([Charge(budget, excess * budget.interval) for budget in budgets], math.inf)

    def back_off(self, model: Model, seconds: float, *, account: UUID | None = None) -> None:
        """Closes the budgets of the model where it has any, else those of the provider's key."""
        budgets = self._budgets(model, account)
        own = [budget for budget in budgets if budget.model is not None]
        closed = [*(own or budgets), *self._unlimited(model, account)]
        self._take([Charge(budget, 0.0, min(seconds, LONGEST_PAUSE)) for budget in closed], math.inf)

    @abstractmethod
    def take(self, charges: Sequence[Charge], patience: float) -> Admission:
        """`admit` on the kept arrival times, keeping the new ones; `charges` holds at least one."""

    def _take(self, charges: Sequence[Charge], patience: float) -> Admission:
        return self.take(charges, patience) if charges else admit((), (), 0.0, patience)

    def _charges(self, model: Model, tokens: int, account: UUID | None) -> list[Charge]:
        charged = [
            Charge(budget, budget.interval * (tokens if budget.unit is Unit.TOKENS else 1))
            for budget in self._budgets(model, account)
        ]
        return [*charged, *(Charge(budget, 0.0) for budget in self._unlimited(model, account))]

    def _unlimited(self, model: Model, account: UUID | None) -> list[Budget]:
        return [Budget(model.provider, model.id, Unit.CALLS, _ANY_RATE, account)] if self._heeds_all else []

    def _budgets(self, model: Model, account: UUID | None) -> list[Budget]:
        return [
            Budget(limit.provider, limit.model, unit, per_minute, account)
            for limit in self._limits
            if limit.provider == model.provider and limit.model in {None, model.id}
            for unit, per_minute in (
                (Unit.REQUESTS, limit.requests_per_minute),
                (Unit.TOKENS, limit.tokens_per_minute),
            )
            if per_minute is not None
        ]
