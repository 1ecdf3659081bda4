"""Statements about what an experiment's arms made, and how their rows become the figures that are evaluated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from aico.core.assignment import Arm
from aico.core.estimates import Mean, Moments
from aico.core.experiment_results import ArmFigures
from aico.core.experiments import Metric
from aico.core.sequential import Clusters
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("experiments")


@dataclass(frozen=True, slots=True)
class ArmDay:
    """Sums over the jobs of an arm that ended on a day (UTC), and sums of their squares."""

    arm: str
    day: date
    answered: int
    failed: int
    unpriced: int
    cents: float
    cents_squared: float
    latency_ms: float
    latency_ms_squared: float
    judged: int
    quality: float
    quality_squared: float

    @property
    def jobs(self) -> int:
        return self.answered + self.failed

    @property
    def moments(self) -> dict[Metric, Moments]:
        return {
            Metric.COST: Moments(self.jobs, self.cents, self.cents_squared),
            Metric.LATENCY: Moments(self.answered, self.latency_ms, self.latency_ms_squared),
            Metric.QUALITY: Moments(self.judged, self.quality, self.quality_squared),
            Metric.FAILURES: Moments(self.jobs, self.failed, self.failed),
        }


_COUNTS = {"answered", "failed", "unpriced", "judged"}
_NAMES = {"arm", "day"}


def days(tenant: UUID, experiment: UUID) -> Statement[ArmDay]:
    """By day and arm. O(arms x days)."""
    return Statement(_SQL["days"], {"tenant": tenant, "id": experiment}, _arm_day)


def _arm_day(row: Row) -> ArmDay:
    numbers: dict[str, Any] = {name: value if name in _NAMES | _COUNTS else float(value) for name, value in row.items()}
    return ArmDay(**numbers)


@dataclass(frozen=True, slots=True)
class ArmUnits:
    """An arm's units, where each makes several jobs."""

    arm: str
    units: int
    means: Mapping[Metric, Clusters]


def clusters(tenant: UUID, experiment: UUID) -> Statement[ArmUnits]:
    """By arm. O(units of the experiment)."""
    return Statement(_SQL["clusters"], {"tenant": tenant, "id": experiment}, _arm_units)


def _arm_units(row: Row) -> ArmUnits:
    def of(n: int, total: str, sizes_squared: str, products: str) -> Clusters:
        sums = (float(row[name]) for name in (total, sizes_squared, products, f"{total}_squared"))
        return Clusters(row["units"], n, *sums)

    jobs, failed, judged = row["jobs"], row["failed"], row["judged"]
    means = {
        Metric.COST: of(jobs, "cents", "jobs_squared", "jobs_cents"),
        Metric.LATENCY: of(jobs - failed, "latency_ms", "answered_squared", "answered_latency_ms"),
        Metric.QUALITY: of(judged, "quality", "judged_squared", "judged_quality"),
        Metric.FAILURES: of(jobs, "failed", "jobs_squared", "jobs_failed"),
    }
    return ArmUnits(row["arm"], row["units"], means)


def figures(arms: Sequence[Arm], found: Sequence[ArmDay], units: Sequence[ArmUnits] | None) -> list[ArmFigures]:
    """Of every arm, with those of which nothing is known yet. `units` None: each job is one."""
    by_arm = None if units is None else {one.arm: one for one in units}
    return [_figures(arm, [day for day in found if day.arm == arm.name], by_arm) for arm in arms]


_NO_UNITS = Clusters(0, 0, 0.0, 0.0, 0.0, 0.0)


def _figures(arm: Arm, found: Sequence[ArmDay], units: Mapping[str, ArmUnits] | None) -> ArmFigures:
    of_jobs = {metric: _sum([day.moments[metric] for day in found]) for metric in Metric}
    means: Mapping[Metric, Mean] = of_jobs
    count = None
    if units is not None:
        mine = units.get(arm.name) or ArmUnits(arm.name, 0, dict.fromkeys(Metric, _NO_UNITS))
        means, count = mine.means, mine.units
    return ArmFigures(
        arm=arm,
        jobs=of_jobs[Metric.COST].n,
        failed=sum(day.failed for day in found),
        unpriced=sum(day.unpriced for day in found),
        units=count,
        means=means,
    )


def _sum(parts: Sequence[Moments]) -> Moments:
    return Moments(
        sum(part.n for part in parts), sum(part.total for part in parts), sum(part.squares for part in parts)
    )
