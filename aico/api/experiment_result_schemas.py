"""What an experiment has shown so far, over the wire. Costs are US cents, latencies milliseconds, the rest 0..1."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field

from aico.core import estimates
from aico.core.assignment import ArmEnd, Unit
from aico.core.experiment_results import ArmFigures, Comparison, Results, Split, Verdict
from aico.core.experiment_words import notes, sentence
from aico.core.experiments import Metric, Status
from aico.store.experiment_figures import ArmDay
from aico.store.experiments import Experiment


class EstimateView(BaseModel):
    value: float
    low: float
    high: float

    @classmethod
    def of(cls, estimate: estimates.Estimate | None) -> Self | None:
        if estimate is None:
            return None
        return cls(value=estimate.value, low=estimate.interval.low, high=estimate.interval.high)


class MeanView(BaseModel):
    n: Annotated[int, Field(description="Jobs, answered jobs for latency, judged answers for quality.")]
    mean: float | None
    low: Annotated[float | None, Field(description="Of an interval that holds however often one looks.")]
    high: float | None

    @classmethod
    def of(cls, n: int, mean: float | None, estimate: estimates.Estimate | None) -> Self:
        if estimate is None:
            return cls(n=n, mean=mean, low=None, high=None)
        return cls(n=n, mean=mean, low=estimate.interval.low, high=estimate.interval.high)


class ArmResult(BaseModel):
    name: str
    control: bool
    ended: ArmEnd | None
    jobs: Annotated[int, Field(description="That were answered or failed, and are booked.")]
    failed: int
    unpriced: Annotated[int, Field(description="Of which the cost is not known. It counts as nothing in the mean.")]
    units: Annotated[int | None, Field(description="Keys or users. Null where each job is one.")]
    metrics: dict[Metric, MeanView]

    @classmethod
    def of(cls, figures: ArmFigures, results: Results) -> Self:
        found = results.estimates[figures.arm.name]
        return cls(
            name=figures.arm.name,
            control=figures.arm.control,
            ended=figures.arm.ended,
            jobs=figures.jobs,
            failed=figures.failed,
            unpriced=figures.unpriced,
            units=figures.units,
            metrics={
                metric: MeanView.of(mean.n, mean.mean if mean.n else None, found[metric])
                for metric, mean in figures.means.items()
            },
        )


class ComparisonView(BaseModel):
    """Of an arm with the control. The intervals of a metric hold together, for all arms and at all looks."""

    arm: str
    metric: Metric
    primary: bool
    difference: EstimateView | None
    change: Annotated[
        EstimateView | None, Field(description="As a share of the control's mean; of costs and latencies.")
    ]
    verdict: Verdict
    why: Annotated[str, Field(description="It is undecided; else empty.")]
    says: Annotated[str, Field(description="The same in words.")]

    @classmethod
    def of(cls, compared: Comparison, primary: Metric) -> Self:
        return cls(
            arm=compared.arm,
            metric=compared.metric,
            primary=compared.metric is primary,
            difference=EstimateView.of(compared.difference),
            change=EstimateView.of(compared.change),
            verdict=compared.verdict,
            why=compared.why,
            says=sentence(compared),
        )


class SplitView(BaseModel):
    """Whether chance parted the units as the weights say, among arms that have not ended."""

    expected: Annotated[dict[str, float], Field(description="Share of each arm.")]
    observed: Annotated[dict[str, int], Field(description="Units of each arm.")]
    p: Annotated[float, Field(description="Of the chi-square test, for one look.")]
    anytime_p: Annotated[float, Field(description="Of a test that may be looked at at any time.")]
    suspicious: Annotated[bool, Field(description="Then nothing is decided: the arms lose jobs in different ways.")]

    @classmethod
    def of(cls, split: Split) -> Self:
        return cls(
            expected=dict(split.expected),
            observed=dict(split.observed),
            p=split.p,
            anytime_p=split.anytime_p,
            suspicious=split.suspicious,
        )


class DayView(BaseModel):
    """The jobs of an arm that ended on a day, UTC. Null: nothing to take a mean of."""

    day: date
    arm: str
    jobs: int
    failed: int
    cost: float | None
    latency: float | None
    quality: float | None

    @classmethod
    def of(cls, day: ArmDay) -> Self:
        means = {metric: one.mean if one.n else None for metric, one in day.moments.items()}
        return cls(
            day=day.day,
            arm=day.arm,
            jobs=day.jobs,
            failed=day.failed,
            cost=means[Metric.COST],
            latency=means[Metric.LATENCY],
            quality=means[Metric.QUALITY],
        )


class ResultsView(BaseModel):
    id: UUID
    name: str
    status: Status
    stopped_because: str | None
    unit: Unit
    alpha: Annotated[float, Field(description="The probability that any interval of one metric ever misses.")]
    arms: list[ArmResult]
    comparisons: list[ComparisonView]
    split: SplitView
    days: list[DayView]
    notes: Annotated[list[str], Field(description="What to keep in mind about these figures.")]

    @classmethod
    def of(
        cls, experiment: Experiment, figures: Sequence[ArmFigures], results: Results, days: Sequence[ArmDay]
    ) -> Self:
        design = experiment.design
        return cls(
            id=experiment.id,
            name=experiment.name,
            status=experiment.status,
            stopped_because=experiment.stopped_because,
            unit=design.unit,
            alpha=design.plan.alpha,
            arms=[ArmResult.of(one, results) for one in figures],
            comparisons=[ComparisonView.of(one, design.plan.primary) for one in results.comparisons],
            split=SplitView.of(results.split),
            days=[DayView.of(day) for day in days],
            notes=notes(design.unit, figures, results),
        )
