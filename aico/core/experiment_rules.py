"""When an arm of a running experiment is ended, and when the experiment stops. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from aico.core.assignment import Arm
from aico.core.experiment_results import Results, Verdict
from aico.core.experiments import Guard, Plan


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done now. `ended` says of arms why."""

    ended: dict[str, str]
    stop: str | None  # why

    def __bool__(self) -> bool:
        return bool(self.ended) or self.stop is not None


def next_step(
    plan: Plan, arms: tuple[Arm, ...], results: Results, *, jobs: int, started_at: datetime, now: datetime
) -> Step:
    """`jobs`: of all arms together."""
    ended = {
        arm.name: why
        for arm in arms
        if not arm.control and arm.ended is None and (why := _harm(plan, arm.name, results))
    }
    left = [arm.name for arm in arms if not arm.control and arm.ended is None and arm.name not in ended]
    return Step(ended, _stop(plan, left, results, jobs, now - started_at))


def _harm(plan: Plan, arm: str, results: Results) -> str | None:
    """Why the arm is ended."""
    for guard in plan.guards:
        for compared in results.of(guard.metric):
            effect = None if compared.early or compared.arm != arm else compared.effect
            if effect is not None and effect.high < -guard.margin:
                return f"{guard.metric} is worse than the control's by more than {_said(guard)}"
    return None


def _said(guard: Guard) -> str:
    return f"{guard.margin:.3g} of its mean" if guard.metric.relative else f"{guard.margin:.3g}"


def _stop(plan: Plan, left: list[str], results: Results, jobs: int, running: timedelta) -> str | None:
    if not left:
        return "every arm but the control was ended"
    if plan.stop_when_decided and not results.split.suspicious:
        decided = [one for one in results.of(plan.primary) if one.arm in left and one.verdict is not Verdict.UNDECIDED]
        if len(decided) == len(left):
            verdicts = ", ".join(f"{one.arm} is {one.verdict.replace('_', ' ')}" for one in decided)
            return f"{plan.primary} is decided: {verdicts}"
    if plan.max_jobs is not None and jobs >= plan.max_jobs:
        return f"it had {jobs} jobs, of at most {plan.max_jobs}"
    if plan.max_days is not None and running >= timedelta(days=plan.max_days):
        return f"it ran for {plan.max_days} days"
    return None
