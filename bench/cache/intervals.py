from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DRAWS, _SEED = 1000, 1
_LOW, _HIGH = 5, 95  # percentiles


@dataclass(frozen=True, slots=True)
class Interval:
    """A share, and where 90 % of bootstrap samples lie (Efron, 1979)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2%} [{self.low:.2%}, {self.high:.2%}]"


def shares(hits: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> tuple[Interval, Interval, Interval]:
    """Hits of all, wrong ones of all, and wrong ones of the hits; without a hit the last is 0.

    Prompts are drawn again with replacement, each with what became of it.
    """
    rng = np.random.default_rng(_SEED)
    counts = rng.multinomial(len(hits), np.full(len(hits), 1 / len(hits)), _DRAWS)
    many, bad = counts @ hits.astype(float), counts @ wrong.astype(float)
    return (
        _interval(float(hits.mean()), many / len(hits)),
        _interval(float(wrong.mean()), bad / len(hits)),
        _interval(float(wrong.sum() / max(hits.sum(), 1)), bad / np.maximum(many, 1)),
    )


def _interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(drawn, [_LOW, _HIGH])
    return Interval(value, float(low), float(high))
