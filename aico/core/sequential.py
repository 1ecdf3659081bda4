"""Confidence sequences: intervals that hold all at once, so that one may look at any time and stop when one likes.

All of them come from running sums alone. They are normal mixtures: the likelihood of a sum under a true mean is held
against its average over means that are normally distributed around that, which is a martingale and so is 1/alpha times
its beginning at some time with a probability of at most alpha (Ville 1939; Robbins, Statistical Methods Related to the
Law of the Iterated Logarithm, 1970).
"""

import math
from dataclasses import dataclass

from aico.core.estimates import Estimate, Interval, Mean, fieller

_DEVIATION = 0.5  # that no observation in 0..1 exceeds, as a sub-Gaussian one: Hoeffding's lemma (1963)
_TWO = 2  # of which a variance can be had


@dataclass(frozen=True, slots=True)
class Sequential:
    """`alpha`: the probability that any interval of a sequence ever misses.

    `tuned`: the number of observations at which a sequence is about as narrow as it can be. It must be chosen before
    the first one; the intervals hold whatever it is.
    """

    alpha: float
    tuned: float

    @property
    def _lead(self) -> float:
        """Observations that the mixture counts as made before the first: 1/rho^2 of Waudby-Smith et al., appendix B."""
        surprise = -2 * math.log(self.alpha)
        return self.tuned / (surprise + math.log(surprise) + 1)

    def errors(self, n: int) -> float:
        """How many standard errors of a mean of `n` observations its interval reaches to either side. Needs one.

        sqrt(2 (n rho^2 + 1) / (n rho^2) log(sqrt(n rho^2 + 1) / alpha)), as in theorem 2.2 of Waudby-Smith, Arbour,
        Sinha, Kennedy and Ramdas, Time-uniform central limit theory and asymptotic confidence sequences (2021).
        """
        lead = self._lead
        return math.sqrt((1 + lead / n) * (math.log1p(n / lead) - 2 * math.log(self.alpha)))

    def mean(self, of: Mean) -> Estimate | None:
        """Of what has a finite variance: asymptotically, in that its variance is estimated.

        The miss rate tends to at most alpha as the first look comes later, the later the heavier the tails are. None
        without observations, and where no two of them differed: then nothing is known of the variance.
        """
        if of.n < _TWO or of.variance_of_mean <= 0:
            return None
        return _around(of.mean, self.errors(of.n) * math.sqrt(of.variance_of_mean))

    def difference(self, a: Mean, b: Mean) -> Estimate | None:
        """Mean of `a` less mean of `b`, of observations that chance gave to one or the other; asymptotically likewise.

        The difference is the mean of all observations' influences on it, whose number is that of both together and
        whose variance over that number is the sum of both means' variances (the same paper, section 3).
        """
        variance = _variance(a, b)
        if variance <= 0:
            return None
        return _around(a.mean - b.mean, self.errors(a.n + b.n) * math.sqrt(variance))

    def ratio(self, a: Mean, b: Mean) -> Estimate | None:
        """Mean of `a` over mean of `b`: those ratios r at which the mean of `a` and r times that of `b` do not differ.

        One sequence for each ratio (Fieller 1954, with the errors of `difference`). None likewise, and where the mean
        of `b` is not clearly above zero.
        """
        if _variance(a, b) <= 0:
            return None
        return fieller(a, b, self.errors(a.n + b.n))

    def bounded_mean(self, of: Mean) -> Estimate | None:
        """Of observations in 0..1: holds from the first one on, whatever their distribution. None without any."""
        if not of.n:
            return None
        return _around(of.mean, self.errors(of.n) * _DEVIATION / math.sqrt(of.n), least=0.0)

    def bounded_difference(self, a: Mean, b: Mean) -> Estimate | None:
        """Mean of `a` less mean of `b`, both in 0..1; likewise.

        The product of two such martingales is one, however their observations alternate. It bounds both deviations by
        an ellipse, and the difference by its shadow.
        """
        if not (a.n and b.n):
            return None
        lead = self._lead / 2
        surprise = -2 * math.log(self.alpha) + sum(math.log1p(one.n / lead) for one in (a, b))
        spread = sum((one.n + lead) / one.n**2 for one in (a, b))
        return _around(a.mean - b.mean, _DEVIATION * math.sqrt(surprise * spread), least=-1.0)


def _variance(a: Mean, b: Mean) -> float:
    """Of the difference of both means; 0 where it cannot be had."""
    return a.variance_of_mean + b.variance_of_mean if min(a.n, b.n) >= _TWO else 0.0


def _around(value: float, half: float, least: float = -math.inf) -> Estimate:
    """`least`: of what is in 0..1 or, a difference, in -1..1."""
    most = math.inf if least == -math.inf else 1.0
    return Estimate(value, Interval(max(least, value - half), min(most, value + half)))


@dataclass(frozen=True, slots=True)
class Clusters:
    """Observations of units that are independent of each other, while those of one unit need not be.

    Each unit has a size, which is how many observations it made, and a total of them.
    """

    units: int
    n: int  # sum of sizes
    total: float
    sizes_squared: float  # sums over units
    products: float  # of size and total
    totals_squared: float

    @property
    def mean(self) -> float:
        return self.total / self.n

    @property
    def variance_of_mean(self) -> float:
        """Of a ratio of sums, linearised, with the usual correction for few units (Liang and Zeger 1986)."""
        if self.units < _TWO:
            return 0.0
        mean = self.mean
        spread = self.totals_squared - 2 * mean * self.products + mean * mean * self.sizes_squared
        return max(0.0, spread) / self.n**2 * self.units / (self.units - 1)
