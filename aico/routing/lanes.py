"""Whether a job may wait in a provider's batch lane, until when, and what that saves. Pure functions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from aico.core.chat import AUTO_MODELS
from aico.core.jobs import JobClass
from aico.core.settings import Settings
from aico.core.usage import Usage
from aico.routing.calibration import Lines, no_lines
from aico.routing.features import Features
from aico.routing.models import Model
from aico.routing.prices import PriceBook
from aico.routing.strategies.protocol import Decision, RoutingPolicy

_ATTEMPTS_RESERVED = 2  # of a direct call: one may fail
_SHARE_RESERVED = 0.1  # of the slack: the longer the wait, the more other jobs come back at the same time
_LANE_SHARE = 0.5  # of the slack that the lane has in any case


@dataclass(frozen=True)
class Terms:
    """How long a job may take."""

    job_class: JobClass
    slack_seconds: float  # to the deadline
    deadline_given: bool  # by the caller: the one that every job has otherwise asks for no patience


@dataclass(frozen=True)
class LanePolicy:
    """What the operator allows. Times in seconds."""

    providers: frozenset[str]  # that have a lane
    min_slack: float
    attempt_timeout: float

    @classmethod
    def from_settings(cls, settings: Settings, providers: Collection[str]) -> "LanePolicy":
        return cls(
            providers=frozenset(providers) if settings.batch_lanes else frozenset(),
            min_slack=settings.batch_lane_min_seconds,
            attempt_timeout=settings.attempt_timeout_seconds,
        )

    def beside(self, providers: Collection[str]) -> "LanePolicy":
        """With the lanes of these providers too, into which a tenant's own keys open the way."""
        return replace(self, providers=self.providers.union(providers)) if providers else self


@dataclass(frozen=True)
class Estimate:
    """Prices in US cents of one request's expected tokens at one moment (time zone aware)."""

    prices: PriceBook
    features: Features
    at: datetime
    lines: Lines = field(default_factory=no_lines)

    def direct(self, model: Model) -> Decimal | None:
        return self._cents(model)

    def batch(self, model: Model) -> Decimal | None:
        return self._cents(model, batch=True)

    def baseline(self, model_id: str) -> Decimal | None:
        return self.prices.baseline_cost_cents(model_id, self._usage(self.features.input_tokens), self.at)

    def _usage(self, input_tokens: int, *, batch: bool = False) -> Usage:
        return Usage(input_uncached=input_tokens, output=self.features.all_output_tokens, batch=batch)

    def _cents(self, model: Model, *, batch: bool = False) -> Decimal | None:
        line = self.lines.get((model.provider, model.id))
        usage = self._usage(self.features.input_tokens_by(line), batch=batch)
        price = self.prices.cost_cents(model.provider, model.id, usage, self.at)
        return price.cents if price is not None else None


@dataclass(frozen=True)
class Lane:
    model: Model
    hedge_seconds: float  # from now: what is not back by then is called directly
    cents: Decimal  # estimated, at the batch price


@dataclass(frozen=True)
class LaneChoice:
    lane: Lane | None  # None: call directly
    reason: str


@dataclass(frozen=True)
class Offer:
    model: Model
    cents: Decimal | None  # estimated US cents, not rounded; None where no price is known


@dataclass(frozen=True)
class Quote:
    """What a request is expected to cost now and by its deadline. Where the lane is late, the price of now holds."""

    now: Offer
    by_deadline: Offer
    latest: datetime  # when the answer of `by_deadline` is there
    in_lane: bool
    baseline_cents: Decimal | None
    saving_cents: Decimal | None  # of waiting; None where a price is unknown
    reason: str


def choose_lane(
    decision: Decision, asked: RoutingPolicy, estimate: Estimate, terms: Terms, policy: LanePolicy
) -> LaneChoice:
    """The first candidate that may wait in its provider's lane for less than the first choice costs now."""
    if decision.check is not None:
        return LaneChoice(None, "a draft that is to be checked is called directly")
    obstacle = _impatience(terms, policy)
    if obstacle is not None:
        return LaneChoice(None, obstacle)
    eligible = [model for model in _preferable(decision.candidates, asked) if model.provider in policy.providers]
    if not eligible:
        return LaneChoice(None, "no model that may be preferred has a batch lane")
    first = decision.candidates[0]
    now = estimate.direct(first)
    if now is None:
        return LaneChoice(None, f"the price of {first.id} is unknown")
    for model in eligible:
        cents = estimate.batch(model)
        if cents is not None and cents < now:
            lane = Lane(model, hedge_seconds(terms.slack_seconds, policy.attempt_timeout), cents)
            return LaneChoice(lane, f"the batch price of {model.id} is below the price of {first.id} now")
    return LaneChoice(None, f"no known batch price is below the price of {first.id} now")


def hedge_seconds(slack: float, attempt_timeout: float) -> float:
    """Seconds to wait for a lane before calling directly, out of `slack` seconds (> 0) to the deadline.

        slack - min(max(2 * attempt_timeout, slack / 10), slack / 2)

    Reserved are two attempts, or a tenth of the slack where that is more, but never more than half of it.
    """
    reserve = max(_ATTEMPTS_RESERVED * attempt_timeout, _SHARE_RESERVED * slack)
    return max(slack - reserve, _LANE_SHARE * slack)


def quote(
    decision: Decision,
    asked: RoutingPolicy,
    estimate: Estimate,
    terms: Terms,
    policy: LanePolicy,
    baseline_model: str,
) -> Quote:
    """What the request is expected to cost now, and what by the deadline of `terms`."""
    choice = choose_lane(decision, asked, estimate, terms, policy)
    first = decision.candidates[0]
    now = Offer(first, estimate.direct(first))
    later = now if choice.lane is None else Offer(choice.lane.model, choice.lane.cents)
    return Quote(
        now=now,
        by_deadline=later,
        latest=estimate.at + timedelta(seconds=terms.slack_seconds),
        in_lane=choice.lane is not None,
        baseline_cents=estimate.baseline(baseline_model),
        saving_cents=None if now.cents is None or later.cents is None else now.cents - later.cents,
        reason=choice.reason,
    )


def _impatience(terms: Terms, policy: LanePolicy) -> str | None:
    """Why the job may not wait; None where it may."""
    if not policy.providers:
        return "no batch lane is open"
    if terms.job_class is JobClass.INTERACTIVE:
        return "interactive work does not wait"
    if terms.job_class is JobClass.STANDARD and not terms.deadline_given:
        return "standard work waits only where it is given a deadline"
    if terms.slack_seconds < policy.min_slack:
        return f"{terms.slack_seconds:.0f} s are left, and a batch lane needs {policy.min_slack:.0f} s"
    return None


def _preferable(candidates: Sequence[Model], asked: RoutingPolicy) -> Sequence[Model]:
    """Candidates that may take the first one's place although it would answer.

    The others are there for its failure: another model than the one that was named, and those ranked below it.
    """
    first = candidates[0]
    if asked.model not in AUTO_MODELS:
        return candidates[:1]
    return [model for model in candidates if model.quality >= first.quality]
