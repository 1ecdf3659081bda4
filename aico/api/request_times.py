"""How long this process takes to answer: counts by door, kind of status and time, as Prometheus adds them up."""

from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds
DOORS = frozenset({"/v1/jobs", "/v1/chat", "/v1/chat/completions", "/v1/responses", "/v1/embeddings"})
_OTHER = "other"
_HUNDRED = 100  # as in 2xx


class RequestTimes:
    """Of one process, whose event loop alone calls it. Its series are bounded: doors and kinds of status are few."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * (len(BOUNDS) + 1))
        self._sums: dict[tuple[str, str], float] = defaultdict(float)

    def note(self, method: str, path: str, status: int, seconds: float) -> None:
        """`seconds` until the headers of the answer: a stream has begun then, any other answer is there."""
        key = path if method == "POST" and path in DOORS else _OTHER, f"{status // _HUNDRED}xx"
        self._counts[key][bisect_left(BOUNDS, seconds)] += 1
        self._sums[key] += seconds

    def family(self) -> HistogramMetricFamily:
        told = HistogramMetricFamily(
            "aico_request_seconds", "Until the headers of an answer, of this process.", labels=["door", "status"]
        )
        limits = [*map(str, BOUNDS), "+Inf"]
        for key, counts in self._counts.items():
            told.add_metric(key, list(zip(limits, accumulate(counts), strict=True)), self._sums[key])
        return told
