"""What was measured, as text."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.live.figures import Lateness, Spread
from bench.report import table

_AIM_MS = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of the time that was measured, but for what is said of the end."""

    seconds: float
    accepted: int  # rows
    waiting: int  # rows in the outbox when the last one had been accepted
    behind_seconds: float  # until those were booked
    lost: int  # rows that were accepted and are not in the ledger at the end
    missing: int  # sequence numbers that did not come to a viewer, of all viewers
    misled: int  # viewers whose seconds do not add up to what their tenant was booked
    viewers: int
    ticks: int  # that came to viewers
    lateness: Lateness
    cpu: Mapping[str, float]  # share of a core

    @property
    def whole(self) -> bool:
        return not (self.lost or self.missing or self.misled)


def describe(outcome: Outcome) -> str:
    seconds, accepted, late = outcome.seconds, outcome.accepted, outcome.lateness
    recorded = (accepted - outcome.waiting) / seconds
    keeps_up = "keeps up" if outcome.waiting <= accepted / seconds else "does not keep up"
    rows = [
        ("rows accepted a second", f"{accepted / seconds:,.0f}"),
        ("rows recorded a second", f"{recorded:,.0f}"),
        (f"rows waiting at the end: the recorder {keeps_up}", f"{outcome.waiting:,}"),
        ("seconds until those were booked", f"{outcome.behind_seconds:.2f}"),
        ("rows lost", f"{outcome.lost:,}"),
        ("ticks a viewer and second", f"{outcome.ticks / outcome.viewers / seconds:.2f}"),
        ("missing sequence numbers", f"{outcome.missing:,}"),
        ("viewers who were told other sums than were booked", f"{outcome.misled:,}"),
    ]
    cpu = [(f"CPU of {name}, of a core", f"{share:.1%}") for name, share in outcome.cpu.items()]
    return "\n".join(
        (
            table(("", ""), [*rows, *cpu]),
            "",
            table(("ms until a tick is with its viewer", "p50", "p95", "p99"), _late_rows(late)),
            *([_verdict(late.from_commit)] if late.from_commit else []),
            *([f"{late.untraced} ticks told no row that was booked here"] if late.untraced else []),
        )
    )


def _verdict(spread: Spread) -> str:
    return f"aim: from the commit p95 <= {_AIM_MS} ms, {'met' if spread.p95 <= _AIM_MS else 'missed'}"


def _late_rows(late: Lateness) -> list[tuple[str, ...]]:
    return [
        ("from its sending, which is its `at`", *_cells(late.from_sending)),
        ("from when its newest row was known to be committed", *_cells(late.from_commit)),
    ]


def _cells(spread: Spread | None) -> tuple[str, ...]:
    return ("-", "-", "-") if spread is None else tuple(f"{ms:.0f}" for ms in (spread.p50, spread.p95, spread.p99))
