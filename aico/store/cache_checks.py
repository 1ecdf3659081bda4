"""Statements about checks of the cache's decisions, and what of a namespace's error is computed of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from aico.core.cache_policy import Basis
from aico.core.comparing import Wishes
from aico.store.shadow_pairs import wishes_of
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("cache_checks")

ENOUGH_VERDICTS = 25  # to compute anew at once
PATIENCE_SECONDS = 60.0  # for others, if there are fewer

CheckKind = Literal["hit", "held", "near", "asked"]


@dataclass(frozen=True, slots=True)
class NewCheck:
    """A decision that was drawn to be judged: about the answer of `entry`, which was served, or might have been."""

    entry: UUID
    kind: CheckKind
    chance: float  # with which it was drawn
    similarity: float
    score: float
    features: tuple[float, ...]
    features_version: int
    allowed: float  # error per hit
    vector: str | None = None  # as Postgres reads a halfvec; None: the job keeps it
    model: str | None = None  # of that vector

    def row(self, job: UUID) -> dict[str, Any]:
        row = {
            "job": str(job),
            "entry": str(self.entry),
            "kind": self.kind,
            "chance": self.chance,
            "similarity": self.similarity,
            "score": self.score,
            "features": self.features,
            "features_version": self.features_version,
            "allowed": self.allowed,
        }
        return row if self.vector is None else row | {"vector": self.vector, "model": self.model}


def take_on(limit: int) -> Statement[int]:
    """Of all tenants: make pairs of up to `limit` checks whose jobs have ended, drop those that come to nothing.

    Returns how many were looked at.
    """
    return Statement(_SQL["take_on"], {"limit": limit}, lambda row: row["looked"])


@dataclass(frozen=True, slots=True)
class DueNamespace:
    tenant: UUID
    job: UUID  # a check of the namespace


def due(*, limit: int) -> Statement[DueNamespace]:
    """Of all tenants, those of which more is known than was computed. O(namespaces with new verdicts)."""
    params = {"limit": limit, "enough": ENOUGH_VERDICTS, "patience": PATIENCE_SECONDS}
    return Statement(_SQL["due"], params, lambda row: DueNamespace(row["tenant_id"], row["job_id"]))


@dataclass(frozen=True, slots=True)
class Judged:
    """Of a namespace whose error is to be computed."""

    namespace: bytes
    verdicts: int
    evidence_since: datetime | None  # earlier verdicts do not count
    max_error_rate: float | None  # None: the service's
    wishes: Wishes


def judged(tenant: UUID, job: UUID, surprising: float, usual: Basis) -> Statement[Judged]:
    """The job's namespace, if there is something to compute.

    That is so at once after a wrong hit, after a wrong answer that scored `surprising` or more, and after each hit that
    is judged on probation; else when enough verdicts have come together, or when what was computed is not what is
    needed now: `usual`, with the tenant's own target. That waits too, lest workers with different settings compute it
    in turns all the time.
    """
    params = {
        "tenant": tenant,
        "job": job,
        "surprising": surprising,
        "features": usual.features,
        "target": usual.target,
        "confidence": usual.confidence,
        "enough": ENOUGH_VERDICTS,
        "patience": PATIENCE_SECONDS,
    }
    return Statement(_SQL["judged"], params, _judged)


def _judged(row: Row) -> Judged:
    return Judged(row["namespace"], row["verdicts"], row["evidence_since"], row["max_error_rate"], wishes_of(row))


@dataclass(frozen=True, slots=True)
class Verdict:
    """None for features and score: nobody drew it, a caller spoke of his own accord."""

    kind: CheckKind
    right: bool
    chance: float
    score: float | None
    features: Sequence[float] | None
    judged_at: datetime
    features_version: int
    model: str | None  # of the cosine
    allowed: float | None  # the error per hit when it was decided; None: not noted

    @property
    def drawn(self) -> bool:
        return self.score is not None


def verdicts(tenant: UUID, found: Judged, *, complaints: bool, limit: int) -> Statement[Verdict]:
    """The latest, newest first. What callers say of their own accord is no fair sample.

    What they liked is left out, and what they complained of too without `complaints`.
    """
    params = {
        "tenant": tenant,
        "namespace": found.namespace,
        "since": found.evidence_since,
        "complaints": complaints,
        "limit": limit,
    }
    return Statement(_SQL["verdicts"], params, _verdict)


def _verdict(row: Row) -> Verdict:
    return Verdict(**row)


@dataclass(frozen=True, slots=True)
class Computed:
    """What follows for a namespace, in the terms of its table."""

    state: str
    cut: float | None
    weights: Sequence[float] | None
    bound: float | None
    judged: int
    above: int
    wrong: int
    audited: int
    evidence_since: datetime | None
    basis: Basis


def keep(tenant: UUID, found: Judged, computed: Computed) -> Statement[None]:
    """Unless somebody has computed it of more verdicts meanwhile, or the tenant allows another rate by now."""
    basis = computed.basis
    params = {
        "tenant": tenant,
        "namespace": found.namespace,
        "verdicts": found.verdicts,
        "max_error_rate": found.max_error_rate,
        "state": computed.state,
        "cut": computed.cut,
        "weights": None if computed.weights is None else list(computed.weights),
        "bound": computed.bound,
        "judged": computed.judged,
        "above": computed.above,
        "wrong": computed.wrong,
        "audited": computed.audited,
        "since": computed.evidence_since,
        "features": basis.features,
        "model": basis.model,
        "target": basis.target,
        "confidence": basis.confidence,
    }
    return Statement(_SQL["keep"], params, no_row)
