"""A namespace whose traffic changes for the worse in the middle: a share of its questions gets answers of its own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from aico.caching.deciding import Decider
from bench.cache.prompts import Stream
from bench.cache.stream import Calibrated, Outcome
from bench.cache.streams import TARGETS, order

_SHARES = (0.1, 0.3, 1.0)
_TIMES = 3  # likewise, as a multiple of the target


@dataclass(frozen=True, slots=True)
class DriftRow:
    target: float
    changed: float  # share of the prompts after the change that no kept answer serves any more
    streams: int
    before: float  # wrong answers per hit until the change
    worst: float  # the highest share of wrong answers among all hits so far, at any time after it
    wrong: float  # wrong answers after it, on average
    stopped: float  # prompts until nothing is served, on average
    kept: int  # streams in which the share stayed below twice the target


def rows(stream: Stream, decider: Decider, seeds: int) -> Iterator[DriftRow]:
    for target in TARGETS:
        for share in sorted({_TIMES * target, *_SHARES}):
            yield _row(stream, decider, target, share, seeds)


def _row(stream: Stream, decider: Decider, target: float, share: float, seeds: int) -> DriftRow:
    at = len(stream.texts) * 3 // 5
    found = [_one(stream, decider, target, share, at, seed) for seed in range(seeds)]
    highest = [max(_shares(one)[at:]) for one in found]
    return DriftRow(
        target,
        share,
        seeds,
        float(np.mean([_shares(one)[at - 1] for one in found])),
        max(highest),
        float(np.mean([sum(one.wrong[at:]) for one in found])),
        float(np.mean([_stopped(one, at) for one in found])),
        sum(one <= 2 * target for one in highest),
    )


def _one(stream: Stream, decider: Decider, target: float, share: float, at: int, seed: int) -> Outcome:
    prompts, rng = order(stream, seed), np.random.default_rng(seed)
    changed = [prompt for prompt in prompts[at:] if rng.random() < share]
    labels = stream.labels.copy()
    labels[changed] = labels.max() + 1 + np.arange(len(changed))
    return Calibrated(decider, target).run(replace(stream, labels=labels), prompts, seed)


def _shares(outcome: Outcome) -> list[float]:
    """Wrong answers per hit so far, by prompt."""
    found: list[float] = (np.cumsum(outcome.wrong) / np.maximum(1, np.cumsum(outcome.hits))).tolist()
    return found


def _stopped(outcome: Outcome, at: int) -> int:
    return next(
        (place for place, state in enumerate(outcome.states[at:]) if not state.serves), len(outcome.states) - at
    )
