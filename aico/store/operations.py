"""Statements about the whole product, for health and metrics: counts, ages and sums, never whose."""

from dataclasses import dataclass
from decimal import Decimal

from aico.core.jobs import JobClass
from aico.store.statement import Statement, named_sql

_SQL = named_sql("operations")


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Jobs of a class by state, each counted up to 10,000, and the ages of the oldest in seconds; 0 without any."""

    job_class: JobClass
    waiting: int  # not admitted yet
    admitted: int  # a worker has been told
    running: int
    held: int  # a retry, or a place in a rate limit
    lane: int  # in a provider's batch
    oldest_seconds: float  # of all that are waiting, admitted or running
    longest_wait_seconds: float  # of all that are waiting or admitted


def queue_stats() -> Statement[QueueStats]:
    """One row a class. Its work is bounded, however long the backlog."""
    return Statement(
        _SQL["queue_stats"], {}, lambda row: QueueStats(**{**row, "job_class": JobClass(row["job_class"])})
    )


def dead_jobs() -> Statement[int]:
    """Dead letters that nobody has replayed, counted up to 10,000."""
    return Statement(_SQL["dead_jobs"], {}, lambda row: row["dead"])


@dataclass(frozen=True, slots=True)
class Total:
    """Sums over all booked attempts of one kind, outcome, model and lever; they only grow."""

    kind: str
    outcome: str
    provider: str
    model: str
    attempts: int
    unpriced: int
    input_tokens: int
    output_tokens: int
    cost_cents: Decimal
    baseline_cost_cents: Decimal
    saved_cents: Decimal  # by attempts that cost less than their baseline
    overspent_cents: Decimal  # by those that cost more
    lever: str  # what a saving is owed to


def totals() -> Statement[Total]:
    """At most some two hundred rows, kept by `ledger.book`."""
    return Statement(_SQL["totals"], {}, lambda row: Total(**row))


@dataclass(frozen=True, slots=True)
class CacheStanding:
    """Namespaces of one state that have verdicts, and of the samples at or above their cuts how many were wrong."""

    state: str
    namespaces: int
    samples: int
    wrong: int


def cache_standing() -> Statement[CacheStanding]:
    """At most one row a state. O(namespaces with verdicts), along an index that holds no more than that."""
    return Statement(
        _SQL["cache_standing"],
        {},
        lambda row: CacheStanding(row["state"], row["namespaces"], int(row["samples"]), int(row["wrong"])),
    )
