"""Intervals around what was measured, for a number of observations that was fixed beforehand."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    value: float
    interval: Interval


class Mean(Protocol):
    """One that was estimated from `n` observations."""

    @property
    def n(self) -> int: ...

    @property
    def mean(self) -> float: ...

    @property
    def variance_of_mean(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Moments:
    """Of `n` independent observations: their sum, and the sum of their squares."""

    n: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        return self.total / self.n

    @property
    def variance(self) -> float:
        """Of one observation, unbiased. Needs two of them."""
        return max(0.0, (self.squares - self.total * self.mean) / (self.n - 1))

    @property
    def variance_of_mean(self) -> float:
        return self.variance / self.n


NOTHING = Moments(0, 0.0, 0.0)


def wilson(successes: float, n: float, confidence: float = CONFIDENCE) -> Interval:
    """Of a rate: Wilson's score interval (1927). Nothing observed: everything is possible."""
    if n <= 0:
        return Interval(0.0, 1.0)
    z = _normal(confidence)
    rate, shrink = successes / n, 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / shrink
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / shrink
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def estimate(moments: Moments, confidence: float = CONFIDENCE) -> Estimate | None:
    """A mean, with Student's interval. None with less than two observations."""
    if moments.n < 2:  # noqa: PLR2004 - of which a variance can be had
        return None
    half = student(confidence, moments.n - 1) * math.sqrt(moments.variance_of_mean)
    return Estimate(moments.mean, Interval(moments.mean - half, moments.mean + half))


def difference(a: Moments, b: Moments, confidence: float = CONFIDENCE) -> Estimate | None:
    """Mean of `a` less mean of `b`: Welch's interval (1947). None with less than two observations of either."""
    if min(a.n, b.n) < 2:  # noqa: PLR2004 - see above
        return None
    value, variance = a.mean - b.mean, a.variance_of_mean + b.variance_of_mean
    half = student(confidence, _freedom(a, b)) * math.sqrt(variance)
    return Estimate(value, Interval(value - half, value + half))


def ratio(a: Moments, b: Moments, confidence: float = CONFIDENCE) -> Estimate | None:
    """Mean of `a` over mean of `b`: Fieller's interval (1954) of independent means.

    None where the mean of `b` is not clearly above zero: then no interval bounds the ratio.
    """
    if min(a.n, b.n) < 2:  # noqa: PLR2004 - see above
        return None
    return fieller(a, b, student(confidence, _freedom(a, b)))


def fieller(a: Mean, b: Mean, errors: float) -> Estimate | None:
    """Mean of `a` over mean of `b`, with all ratios at which they differ by at most so many standard errors."""
    of_a, of_b = errors * errors * a.variance_of_mean, errors * errors * b.variance_of_mean
    known = b.mean * b.mean - of_b
    if b.mean <= 0 or known <= 0:
        return None
    product = a.mean * b.mean
    half = math.sqrt(max(0.0, product * product - known * (a.mean * a.mean - of_a)))
    return Estimate(a.mean / b.mean, Interval((product - half) / known, (product + half) / known))


def _freedom(a: Moments, b: Moments) -> float:
    """Degrees of freedom of the difference: Welch and Satterthwaite."""
    of_a, of_b = a.variance_of_mean, b.variance_of_mean
    spread = of_a * of_a / (a.n - 1) + of_b * of_b / (b.n - 1)
    return (of_a + of_b) ** 2 / spread if spread > 0 else float(a.n + b.n - 2)


def _normal(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def student(confidence: float, freedom: float) -> float:
    """Two-sided quantile: exact for 1 and 2 degrees of freedom, else the expansion of Abramowitz and Stegun, 26.7.5.

    That is within 1 % from 3 upwards.
    """
    z = _normal(confidence)
    if freedom < 2:  # noqa: PLR2004 - the closed form of 1, which lies above those between; likewise below
        return math.tan(math.pi * confidence / 2)
    if freedom < 3:  # noqa: PLR2004
        return confidence * math.sqrt(2 / (1 - confidence * confidence))
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))
