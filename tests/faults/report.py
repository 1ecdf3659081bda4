"""The table at the end."""

from collections import Counter
from collections.abc import Iterable, Sequence

from faults.audit import Findings
from faults.load import Load
from faults.plan import Step
from faults.receiver import Receiver


def table(findings: Findings, load: Load, receiver: Receiver, steps: Sequence[Step]) -> str:
    counts = {
        "accepted": findings.accepted,
        **{status: findings.statuses[status] for status in ("completed", "failed", "expired")},
        "lost": len(findings.lost),
        "accepted twice": len(findings.accepted_twice),
        "called twice": len(findings.called_twice),
        "sent again by the caller": load.resent,
        "webhooks": len(receiver.told),
        "told again": receiver.repeated,
    }
    rate = findings.accepted / load.seconds
    lines = [
        f"{findings.accepted} jobs in {load.seconds:.0f} s: {rate:.0f} a second",
        *(f"  {name:<26}{count:>7}" for name, count in counts.items()),
        *_listed("called twice, because of", Counter(map(str, findings.called_twice.values()))),
        *_listed("called again, after a provider that", findings.called_again),
        *_listed("calls of killed workers, by model", findings.lost_calls),
        f"{'fault':<42}{'began':>8}{'lasted':>8}{'answered':>10}{'told':>8}   (seconds; the last two since its end)",
        *(_step(step, steps[0].began, receiver) for step in steps),
    ]
    return "\n".join(lines)


def _listed(title: str, counts: Counter[str]) -> Iterable[str]:
    if counts:
        yield f"  {title}"
        yield from (f"    {name:<40}{count:>7}" for name, count in counts.most_common())


def _step(step: Step, start: float, receiver: Receiver) -> str:
    told = receiver.first_told.get(step.probe, float("nan"))
    times = f"{step.began - start:8.1f}{step.ended - step.began:8.1f}"
    return f"{step.fault.name:<42}{times}{step.answered - step.ended:10.1f}{told - step.ended:8.1f}"
