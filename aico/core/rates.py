"""How sure a rate is."""

from math import sqrt

_Z = 1.959964  # of 95 %, both sides


def wilson_lower(mean: float, count: int) -> float:
    """The lower end of Wilson's 95 % interval of a rate. 0 for no observations.

    For a mean of values between 0 and 1 it errs on the safe side: none of them vary more than yes and no.
    """
    if count <= 0:
        return 0.0
    square = _Z * _Z / count
    half = _Z * sqrt(max(0.0, mean * (1 - mean)) / count + square / (4 * count))
    return max(0.0, (mean + square / 2 - half) / (1 + square))
