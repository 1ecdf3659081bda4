"""What an experiment compares, and by which rules it ends. The draw into its arms is in `assignment`."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from aico.core.assignment import Arm
from aico.core.inputs import Count, Number

MIN_ARMS, MAX_ARMS = 2, 10
MAX_DAYS, MAX_JOBS = 365, 10**9
ACTOR = "experiments"  # in the audit log, of what an experiment's own rules do


class Status(StrEnum):
    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"


class Metric(StrEnum):
    """Less is better of all but quality."""

    COST = "cost"  # US cents of a job, all of its attempts together
    LATENCY = "latency"  # milliseconds of the attempt that answered
    QUALITY = "quality"  # 0..1, of answers that were judged
    FAILURES = "failures"  # share of the jobs that were not answered

    @property
    def relative(self) -> bool:
        """Whether a change is told as a share of the control's mean, instead of in points of 0..1."""
        return self in {Metric.COST, Metric.LATENCY}


class Guard(BaseModel):
    """Ends an arm that is certainly worse than the control by more than `margin`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: Metric
    margin: Annotated[
        Number,
        Field(gt=0, le=1, description="A share of the control's mean for cost and latency, else points in 0..1."),
    ]


class Plan(BaseModel):
    """What is compared, and when that ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    primary: Annotated[Metric, Field(description="What the experiment is about.")] = Metric.COST
    minimum_effect: Annotated[
        Number,
        Field(ge=0, le=1, description="A smaller change does not matter: as a share of the control's mean, or points."),
    ] = 0.0
    guards: Annotated[tuple[Guard, ...], Field(max_length=4)] = (
        Guard(metric=Metric.QUALITY, margin=0.05),
        Guard(metric=Metric.FAILURES, margin=0.05),
    )
    alpha: Annotated[
        Number, Field(ge=0.001, le=0.2, description="The probability that any interval of one metric ever misses.")
    ] = 0.05
    minimum_per_arm: Annotated[
        Count, Field(ge=50, le=10**6, description="Observations of an arm before anything is concluded.")
    ] = 200
    stop_when_decided: Annotated[bool, Field(description="Once each arm is better, worse or no different.")] = True
    max_days: Annotated[Count | None, Field(ge=1, le=MAX_DAYS)] = 28
    max_jobs: Annotated[Count | None, Field(ge=100, le=MAX_JOBS, description="Of all arms together.")] = None

    @property
    def tuned(self) -> float:
        """Observations of two arms at which intervals are narrowest: fixed with the plan, as it must be."""
        return 20.0 * self.minimum_per_arm


def control_of(arms: tuple[Arm, ...]) -> Arm:
    return next(arm for arm in arms if arm.control)


def levers(arms: tuple[Arm, ...]) -> list[str]:
    """What the arms change, by which two experiments get in each other's way: a model makes a strategy idle."""
    changed = {name for arm in arms for name in arm.treatment.model_dump(exclude_none=True)}
    return sorted({"choice" if name in {"model", "strategy"} else name for name in changed})
