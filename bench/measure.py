"""One row: a load, the CPU time that each part of what answered it took, and how that compares."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.load import Load, LoadFailed, run_load
from bench.servers import Groups, cpu_seconds

_WARM_UP_SECONDS = 1.0
_AFTER_WARM_UP = 1_000_000_000  # number of the first prompt that no warm-up has sent
_TOLERATED = 0.05  # share of answers of another kind than the row is about: a paraphrase may fall below the threshold


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    callers: int
    answers: int
    expected_share: float  # of the answers
    rate: float  # answers a second of wall time
    p50_ms: float
    p99_ms: float
    cpu: dict[str, float]  # CPU seconds for 1,000 answers, by group; with "client" for the load itself
    api_busy: float | None  # share of one core
    rate_ratio: float | None = None  # to the bare endpoint, at as many callers
    api_cpu_ratio: float | None = None  # to the bare endpoint
    added_p50_ms: float | None = None  # to calling the provider directly
    aim: str = ""
    met: bool | None = None


def measure(name: str, load: Load, groups: Groups, settle: Callable[[], None] = lambda: None) -> Row:
    """Warm up, load, and `settle`, until when CPU time counts. Raises LoadFailed if answers are not as expected."""
    run_load(replace(load, seconds=_WARM_UP_SECONDS))
    settle()
    before = cpu_seconds(groups)
    outcome = run_load(replace(load, first=_AFTER_WARM_UP if load.prompts == "distinct" else load.first + 2**16))
    settle()
    after = cpu_seconds(groups)
    share = 1 - outcome.unexpected / outcome.answers
    if share < 1 - _TOLERATED:
        raise LoadFailed(f"{name}: {outcome.unexpected} of {outcome.answers} unexpected, such as {outcome.example}")
    spent = {group: after[group] - before[group] for group in groups} | {"client": outcome.client_cpu_seconds}
    return Row(
        name=name,
        callers=load.callers,
        answers=outcome.answers,
        expected_share=share,
        rate=outcome.rate,
        p50_ms=outcome.p50_ms,
        p99_ms=outcome.p99_ms,
        cpu={group: seconds / outcome.answers * 1000 for group, seconds in spent.items()},
        api_busy=spent["api"] / outcome.seconds if "api" in spent else None,
    )


def against(row: Row, baseline: Row) -> Row:
    """The row with its ratios to the bare endpoint."""
    api = row.cpu.get("api")
    return replace(
        row,
        rate_ratio=row.rate / baseline.rate if row.callers == baseline.callers else None,
        api_cpu_ratio=api / baseline.cpu["api"] if api is not None else None,
    )


def at_least(row: Row, rate: float) -> Row:
    return replace(row, aim=f">= {rate:,.0f}/s", met=row.rate >= rate)


def within(row: Row, milliseconds: float) -> Row:
    return replace(row, aim=f"p50 <= {milliseconds:g} ms", met=row.p50_ms <= milliseconds)


def adding_at_most(row: Row, direct: Row, milliseconds: float | None) -> Row:
    """The row with what its median adds to that of calling the provider directly, and the aim for it, if any."""
    added = row.p50_ms - direct.p50_ms
    if milliseconds is None:
        return replace(row, added_p50_ms=added)
    return replace(row, added_p50_ms=added, aim=f"added <= {milliseconds:g} ms", met=added <= milliseconds)
