"""What goes over the wire about savings."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from aico.core.assignment import HELD_OUT, ROUTED
from aico.core.estimates import CONFIDENCE, Estimate, Moments
from aico.core.money import round_cents
from aico.core.savings import ENOUGH, NO_JOBS, ArmFigures, Measured, Spending


class EstimateView(BaseModel):
    """A figure with the interval in which it lies at the confidence that is given beside it."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, one: Estimate | None) -> Self | None:
        return None if one is None else cls(value=one.value, low=one.interval.low, high=one.interval.high)


class MoneyEstimateView(BaseModel):
    """US cents, likewise."""

    value: Decimal
    low: Decimal
    high: Decimal

    @classmethod
    def of(cls, one: Estimate) -> Self:
        value, low, high = (
            round_cents(Decimal(repr(cents))) for cents in (one.value, one.interval.low, one.interval.high)
        )
        return cls(value=value, low=low, high=high)


class RoutingCost(BaseModel):
    """What routing itself cost in US cents, beside the answers. Vectors are computed here and cost no calls."""

    shadow_cents: Annotated[Decimal, Field(description="What other models would have said, for comparison.")]
    judge_cents: Annotated[Decimal, Field(description="Which of two answers was better.")]
    total_cents: Decimal


class AgainstPriceList(BaseModel):
    """Each answer against what the same tokens cost at the baseline model's list price."""

    answers: int
    baseline_cost_cents: Decimal
    cost_cents: Annotated[Decimal, Field(description="Of all attempts with a known price, with routing's own.")]
    saved_cents: Annotated[Decimal, Field(description="Negative where it cost more.")]
    saved_share: Annotated[float | None, Field(description="Of the baseline; null without one.")]
    excluded_baseline_cents: Annotated[
        Decimal, Field(description="Of answers whose own cost is unknown, which count on neither side.")
    ]
    unpriced_attempts: int


class ArmView(BaseModel):
    jobs: int
    failed: int
    unpriced: Annotated[
        int, Field(description="Jobs whose last attempt has no known price. Those of `routed` count as no savings.")
    ]
    mean_cents: Annotated[float | None, Field(description="Of a job's attempts together, where their price is known.")]
    mean_latency_ms: Annotated[float | None, Field(description="Of the attempts that answered.")]
    judged: int
    mean_quality: Annotated[float | None, Field(description="Of what was judged, 0 to 1.")]

    @classmethod
    def of(cls, arm: ArmFigures) -> Self:
        return cls(
            jobs=arm.jobs,
            failed=arm.failed,
            unpriced=arm.unpriced,
            mean_cents=_mean(arm.priced),
            mean_latency_ms=_mean(arm.latency_ms),
            judged=arm.quality.n,
            mean_quality=_mean(arm.quality),
        )


class AgainstHoldout(BaseModel):
    """Jobs that chance kept from us against those that we answered."""

    share: Annotated[float, Field(description="Of the jobs that can be, are held out now.")]
    status: Annotated[
        Literal["measured", "too_few", "off"],
        Field(description=f"`too_few`: an arm has fewer than {ENOUGH} jobs yet."),
    ]
    confidence: float = CONFIDENCE
    baseline: ArmView
    routed: ArmView
    saved_cents_per_job: EstimateView | None
    saved_share: Annotated[EstimateView | None, Field(description="Of what the baseline costs.")]
    saved_cents: Annotated[
        MoneyEstimateView | None, Field(description="For all routed jobs, less what routing itself cost.")
    ]
    quality_difference: Annotated[
        EstimateView | None, Field(description=f"Routed less baseline; null with fewer than {ENOUGH} judged in an arm.")
    ]


class SavingsView(BaseModel):
    since: datetime
    until: datetime
    pending_events: Annotated[int, Field(description="Finished attempts that are about to be booked.")]
    routing_cost: RoutingCost
    price_list: AgainstPriceList
    holdout: AgainstHoldout


def price_list(spending: Spending) -> AgainstPriceList:
    counted = spending.baseline_cost_cents - spending.unpriced_baseline_cents
    return AgainstPriceList(
        answers=spending.answers,
        baseline_cost_cents=spending.baseline_cost_cents,
        cost_cents=spending.cost_cents,
        saved_cents=spending.saved_cents,
        saved_share=float(spending.saved_cents / counted) if counted else None,
        excluded_baseline_cents=spending.unpriced_baseline_cents,
        unpriced_attempts=spending.unpriced_attempts,
    )


def routing_cost(spending: Spending) -> RoutingCost:
    return RoutingCost(
        shadow_cents=spending.shadow_cents, judge_cents=spending.judge_cents, total_cents=spending.own_cents
    )


def holdout(share: float, arms: Mapping[str, ArmFigures], measured: Measured | None) -> AgainstHoldout:
    unmeasured: Literal["too_few", "off"] = "too_few" if share else "off"
    return AgainstHoldout(
        share=share,
        status=unmeasured if measured is None else "measured",
        baseline=ArmView.of(arms.get(HELD_OUT, NO_JOBS)),
        routed=ArmView.of(arms.get(ROUTED, NO_JOBS)),
        saved_cents_per_job=None if measured is None else EstimateView.of(measured.cents_per_job),
        saved_share=None if measured is None else EstimateView.of(measured.share),
        saved_cents=None if measured is None else MoneyEstimateView.of(measured.cents),
        quality_difference=None if measured is None else EstimateView.of(measured.quality),
    )


def _mean(moments: Moments) -> float | None:
    return moments.mean if moments.n else None
