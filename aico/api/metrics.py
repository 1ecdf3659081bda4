"""What Prometheus reads, of all tenants together: no label names a tenant, and the number of series is bounded."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aico.api.operations import Figures, Workers
from aico.api.request_times import RequestTimes
from aico.core.attempts import AttemptKind
from aico.core.money import CENTS_PER_DOLLAR
from aico.store.operations import CacheStanding, QueueStats, Total

_STATES = ("waiting", "admitted", "running", "held", "lane")
_HITS: dict[str, str] = {
    AttemptKind.EXACT_HIT: "exact",
    AttemptKind.SEMANTIC_HIT: "semantic",
    AttemptKind.SHARED: "shared",
}


def exposition(figures: Figures | None, workers: Workers | None, times: RequestTimes | None = None) -> bytes:
    """The text format. What a dependency that is away would have told is left out; `aico_up` says which it is."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reading(figures, workers, times or RequestTimes()))
    return generate_latest(registry)


class _Reading(Collector):
    """One look at the product, for one scrape."""

    def __init__(self, figures: Figures | None, workers: Workers | None, times: RequestTimes) -> None:
        self._figures = figures
        self._workers = workers
        self._times = times

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("aico_up", "Whether a dependency answers.", labels=["part"])
        up.add_metric(["postgres"], self._figures is not None)
        up.add_metric(["redis"], self._workers is not None)
        yield up
        yield self._times.family()
        if self._figures is not None:
            yield from _queues(self._figures.queues)
            yield GaugeMetricFamily("aico_jobs_dead", "Dead letters not replayed, up to 10,000.", self._figures.dead)
            yield from _attempts(self._figures.totals)
            yield from _money(self._figures.totals)
            yield from _caches(self._figures.caches)
        if self._workers is not None:
            yield from _workers(self._workers)


def _queues(queues: Iterable[QueueStats]) -> Iterator[Metric]:
    depth = GaugeMetricFamily("aico_queue_depth", "Jobs, each state up to 10,000.", labels=["class", "state"])
    oldest = GaugeMetricFamily(
        "aico_queue_oldest_seconds", "Age of the oldest job not held or parked.", labels=["class"]
    )
    wait = GaugeMetricFamily("aico_queue_wait_seconds", "Age of the oldest job that nobody works on.", labels=["class"])
    for stats in queues:
        for state in _STATES:
            depth.add_metric([stats.job_class, state], getattr(stats, state))
        oldest.add_metric([stats.job_class], stats.oldest_seconds)
        wait.add_metric([stats.job_class], stats.longest_wait_seconds)
    yield from (depth, oldest, wait)


def _workers(workers: Workers) -> Iterator[Metric]:
    processes = GaugeMetricFamily("aico_workers", "Live processes.", labels=["name"])
    slots = GaugeMetricFamily("aico_worker_slots", "Tasks that they can run at once.", labels=["name"])
    busy = GaugeMetricFamily("aico_worker_busy", "Tasks that they run.", labels=["name"])
    for name, beats in workers.items():
        processes.add_metric([name], len(beats))
        slots.add_metric([name], sum(beat.slots for beat in beats))
        busy.add_metric([name], sum(beat.busy for beat in beats))
    yield from (processes, slots, busy)


def _attempts(totals: Iterable[Total]) -> Iterator[Metric]:
    yield _counter(
        "aico_attempts",
        "Booked attempts to answer.",
        ("kind", "outcome", "provider", "model"),
        (((total.kind, total.outcome, total.provider, total.model), total.attempts) for total in totals),
    )
    yield _counter(
        "aico_attempts_unpriced",
        "Booked attempts without a known price; they are in no sum of money.",
        ("provider", "model"),
        (((total.provider, total.model), total.unpriced) for total in totals),
    )
    yield _counter(
        "aico_cache_hits",
        "Jobs answered from the cache, or by another job's call.",
        ("kind",),
        (((_HITS[total.kind],), total.attempts) for total in totals if total.kind in _HITS),
    )
    tokens = [pair for total in totals for pair in (("input", total.input_tokens), ("output", total.output_tokens))]
    yield _counter(
        "aico_tokens", "Tokens of booked attempts.", ("direction",), (((name,), count) for name, count in tokens)
    )


def _money(totals: Iterable[Total]) -> Iterator[Metric]:
    yield _counter(
        "aico_cost_usd",
        "What booked attempts cost.",
        ("provider", "model"),
        (((total.provider, total.model), _dollars(total.cost_cents)) for total in totals),
    )
    yield _counter(
        "aico_baseline_usd",
        "What the baseline model would have cost.",
        (),
        (((), _dollars(total.baseline_cost_cents)) for total in totals),
    )
    yield _counter(
        "aico_saved_usd",
        "By attempts that cost less than their baseline. Less aico_overspent_usd_total it is the net saving.",
        ("lever",),
        (((total.lever,), _dollars(total.saved_cents)) for total in totals),
    )
    yield _counter(
        "aico_overspent_usd",
        "By attempts that cost more than their baseline, such as failed ones, which have none.",
        ("lever",),
        (((total.lever,), _dollars(total.overspent_cents)) for total in totals),
    )


def _caches(standing: Sequence[CacheStanding]) -> Iterator[Metric]:
    namespaces = GaugeMetricFamily("aico_cache_namespaces", "Namespaces with verdicts.", labels=["state"])
    samples = GaugeMetricFamily("aico_cache_audit_samples", "Audited answers at or above their cuts.")
    ratio = GaugeMetricFamily("aico_cache_audit_error_ratio", "Of these, the share with the wrong answer.")
    for one in standing:
        namespaces.add_metric([one.state], one.namespaces)
    total = sum(one.samples for one in standing)
    samples.add_metric([], total)
    if total:
        ratio.add_metric([], sum(one.wrong for one in standing) / total)
    yield from (namespaces, samples, ratio)


def _dollars(cents: Decimal) -> Decimal:
    return cents / CENTS_PER_DOLLAR


def _counter(
    name: str, documentation: str, labels: Sequence[str], rows: Iterable[tuple[tuple[str, ...], Decimal | int]]
) -> Metric:
    """Rows of the same labels are summed up; without labels there is a sum even of no rows."""
    sums: dict[tuple[str, ...], Decimal] = {} if labels else {(): Decimal(0)}
    for key, value in rows:
        sums[key] = sums.get(key, Decimal(0)) + value
    family = CounterMetricFamily(name, documentation, labels=labels)
    for key, total in sums.items():
        family.add_metric(key, float(total))
    return family
