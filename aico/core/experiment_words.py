"""Results of an experiment in words."""

from collections.abc import Sequence

from aico.core.assignment import Unit
from aico.core.experiment_results import ArmFigures, Comparison, Results, Verdict
from aico.core.experiments import Metric

_MORE_AND_LESS = {
    Metric.COST: ("costs more", "costs less"),
    Metric.LATENCY: ("answers later", "answers sooner"),
    Metric.QUALITY: ("answers better", "answers worse"),
    Metric.FAILURES: ("fails more often", "fails less often"),
}
_SAME = {
    Metric.COST: "costs about the same",
    Metric.LATENCY: "answers about as soon",
    Metric.QUALITY: "answers about as well",
    Metric.FAILURES: "fails about as often",
}
_ABOUT = {Metric.COST: "cost", Metric.LATENCY: "latency", Metric.QUALITY: "quality", Metric.FAILURES: "failures"}


def sentence(compared: Comparison) -> str:
    """Such as `b costs less than the control: -30.1 % (-35.0 % to -24.8 %)`."""
    more, less = _MORE_AND_LESS[compared.metric]
    if compared.verdict is Verdict.UNDECIDED:
        said = f"{compared.arm}: {_ABOUT[compared.metric]} is undecided, as {compared.why}"
    elif compared.verdict is Verdict.NO_DIFFERENT:
        said = f"{compared.arm} {_SAME[compared.metric]} as the control"
    else:
        better = compared.verdict is Verdict.BETTER
        said = f"{compared.arm} {more if better == (compared.metric is Metric.QUALITY) else less} than the control"
    of = compared.change if compared.metric.relative else compared.difference
    if of is None:
        return said
    unit = "%" if compared.metric.relative else "points"
    value, low, high = (f"{part * 100:+.1f} {unit}" for part in (of.value, of.interval.low, of.interval.high))
    return f"{said}: {value} ({low} to {high})"


def notes(unit: Unit, figures: Sequence[ArmFigures], results: Results) -> list[str]:
    """What to keep in mind."""
    ended = [one.arm.name for one in figures if one.arm.ended is not None]
    unpriced = sum(one.unpriced for one in figures)
    said = [
        _OF_JOBS if unit == "job" else _OF_UNITS.format(unit=unit),
        _OF_COSTS,
        "Quality is that of the answers that somebody judged.",
    ]
    if unpriced:
        said.append(f"The cost of {unpriced} jobs is not known, and costs are not compared with those of their arms.")
    if ended:
        said.append(f"Ended, and not counted since: {', '.join(ended)}.")
    if results.split.suspicious:
        said.append(
            "The arms do not have the shares that were asked for, and chance does not explain it: they lose jobs in"
            " different ways, and nothing here can be trusted before it is known why."
        )
    return said


_OF_JOBS = "The intervals take jobs as independent of each other."
_OF_COSTS = (
    "Costs and latencies: the intervals are asymptotic, and that of a single arm's mean is too narrow where a few jobs"
    " cost very much; differences between arms hold better."
)
_OF_UNITS = (
    "The jobs of one {unit} are alike: variances are those of each {unit}'s sums, and quality and failures have"
    " asymptotic intervals too."
)
