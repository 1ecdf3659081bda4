"""Statements about providers' batch lanes: parked jobs, the batches formed of them, and how those stand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.attempts import Attempt, Policy, assignment_unit
from aico.core.chat import ChatRequest
from aico.core.jobs import CacheMode
from aico.store.claims import Claim
from aico.store.decisions import Decided, Grounds
from aico.store.job_policy import JobPolicy
from aico.store.ledger import event_row
from aico.store.provider_keys import TenantKey, key_of
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("lanes")
_LINE_OVERHEAD = 500  # bytes around a request in a provider's format


@dataclass(frozen=True, slots=True)
class Parked:
    """A claim that waits in its model's lane instead; called directly after `hedge_seconds` without an answer."""

    claim: Claim
    model: str
    hedge_seconds: float
    decided: Decided | None = None


def park(parked: Parked, linger_seconds: float) -> Statement[UUID]:
    """Fenced. No row: the job has ended, or a newer claim holds it."""
    held = parked.claim
    params = {
        "tenant": held.tenant,
        "id": held.id,
        "fence": held.fence,
        "model": parked.model,
        "hedge": float(parked.hedge_seconds),
        "linger": float(linger_seconds),
        "decisions": Jsonb([] if parked.decided is None else [parked.decided.row(held.id)]),
    }
    return Statement(_SQL["park"], params, _id)


@dataclass(frozen=True, slots=True)
class Due:
    tenant: UUID
    batch: UUID | None  # None: parked jobs are to be formed into batches


def due(*, limit: int) -> Statement[Due]:
    """What waits for a lane worker, of all tenants; batches that one holds are left out."""
    return Statement(_SQL["due"], {"limit": limit}, lambda row: Due(row["tenant_id"], row["batch_id"]))


def recall(*, late_seconds: float, limit: int) -> Statement[int]:
    """Call directly what no lane worker took back within `late_seconds` of its hedge. Returns how many jobs."""
    return Statement(_SQL["recall"], {"late": float(late_seconds), "limit": limit}, lambda row: row["recalled"])


def purge(*, kept_days: int, limit: int) -> Statement[int]:
    """Delete batches that ended longer ago. Returns how many; `limit`: there may be more."""
    return Statement(_SQL["purge"], {"days": kept_days, "limit": limit}, lambda row: row["purged"])


def waiting(tenant: UUID) -> Statement[str]:
    """The models whose parked jobs have waited long enough for company."""
    return Statement(_SQL["waiting"], {"tenant": tenant}, lambda row: row["model"])


def form(tenant: UUID, batch: UUID, provider: str, model: str, *, max_lines: int, max_bytes: int) -> Statement[int]:
    """A batch of the parked jobs of a model, those first that have waited longest; how many. No row: there are none."""
    params = {
        "tenant": tenant,
        "id": batch,
        "provider": provider,
        "model": model,
        "lines": max_lines,
        "bytes": max_bytes,
        "overhead": _LINE_OVERHEAD,
    }
    return Statement(_SQL["form"], params, lambda row: row["lines"])


@dataclass(frozen=True, slots=True)
class HeldBatch:
    """The right to take a batch's next step until the lease runs out; `fence` proves it."""

    tenant: UUID
    id: UUID
    fence: int
    provider: str
    model: str
    remote_id: str | None  # None: not created yet, as far as is known
    unsure: bool  # a creation has begun, and it is not known what became of it
    lost: int  # creations that may have left a batch which cannot be found
    created_at: datetime
    cancelled: bool  # the provider has been asked to stop
    own_account: bool  # it is made with the tenant's own key, from its creation to its results
    own_key: TenantKey | None  # None there: the tenant has deleted it

    @property
    def key(self) -> str:
        """Our own name of it at the provider."""
        return str(self.id)


def claim(tenant: UUID, batch: UUID, lease_seconds: float) -> Statement[HeldBatch]:
    """No row: it has ended, its next step is not due, or somebody else is at it."""
    params = {"tenant": tenant, "id": batch, "lease": lease_seconds}

    def parse(row: Row) -> HeldBatch:
        own_key = None if row["own_key"] is None else key_of(row["own_key"])
        return HeldBatch(tenant=tenant, **{**row, "own_key": own_key})

    return Statement(_SQL["claim"], params, parse)


def renew(held: HeldBatch, lease_seconds: float) -> Statement[UUID]:
    return Statement(_SQL["renew"], {**_fenced(held), "lease": lease_seconds}, _id)


def still_open(held: HeldBatch) -> Statement[int]:
    """How many of its jobs wait for it still; it is hedged when the first of those is. No row: the claim is lost."""
    return Statement(_SQL["still_open"], _fenced(held), lambda row: row["jobs"])


@dataclass(frozen=True, slots=True)
class Line:
    """A job as its batch's line; the fence tells whether an answer comes too late."""

    id: UUID
    fence: int
    request: ChatRequest


def lines(held: HeldBatch) -> Statement[Line]:
    """Those of its jobs that wait for it still, in a fixed order."""
    return Statement(
        _SQL["lines"],
        {"tenant": held.tenant, "id": held.id},
        lambda row: Line(row["id"], row["fence"], ChatRequest.model_validate(row["request"])),
    )


def begin(held: HeldBatch) -> Statement[UUID]:
    """To be stored before the provider is asked to create the batch. No row: the claim is lost."""
    return Statement(_SQL["begin"], _fenced(held), _id)


def lose(held: HeldBatch) -> Statement[None]:
    """Book a lost attempt of unknown cost for each job: an unsure creation may have left a batch that nobody finds."""
    return Statement(_SQL["lose"], _fenced(held), no_row)


def started(held: HeldBatch, remote_id: str) -> Statement[UUID]:
    return Statement(_SQL["started"], {**_fenced(held), "remote_id": remote_id}, _id)


def postpone(held: HeldBatch, *, error: str | None = None, pause: float = 0.0, unsure: bool = False) -> Statement[UUID]:
    """Let go until the next step: after `pause` seconds, or a tenth of its age between 10 s and 5 min if longer."""
    params = {**_fenced(held), "error": error, "pause": float(pause), "unsure": unsure}
    return Statement(_SQL["postpone"], params, _id)


def cancelled(held: HeldBatch) -> Statement[UUID]:
    """The provider has been asked to stop."""
    return Statement(_SQL["cancelled"], _fenced(held), _id)


def end(held: HeldBatch, status: str, error: str | None = None) -> Statement[UUID]:
    """`status`: ended, failed, expired or cancelled."""
    return Statement(_SQL["end"], {**_fenced(held), "status": status, "error": error}, _id)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a line's ending is made of. `open`: the job waits for it still."""

    id: UUID
    fence: int
    request: ChatRequest
    cache_mode: CacheMode
    fingerprint: bytes
    api_key_id: UUID | None
    policy: JobPolicy
    grounds: Grounds
    chosen_by: Policy | None  # when it was parked; None: that was not logged
    attempts: int
    spent_cents: Decimal
    open: bool
    traceparent: str | None = None  # of the request that made it


def asked(held: HeldBatch, jobs: Iterable[tuple[UUID, int]]) -> Statement[Asked]:
    """Of these jobs and fences the ones that the batch was formed of."""
    pairs = list(jobs)
    params = {
        "tenant": held.tenant,
        "batch": held.id,
        "ids": [job for job, _ in pairs],
        "fences": [fence for _, fence in pairs],
    }
    return Statement(_SQL["asked"], params, lambda row: _asked(held.tenant, row))


def _asked(tenant: UUID, row: Row) -> Asked:
    return Asked(
        id=row["id"],
        fence=row["fence"],
        request=ChatRequest.model_validate(row["request"]),
        cache_mode=CacheMode(row["cache_mode"]),
        fingerprint=bytes(row["fingerprint"]),
        api_key_id=row["api_key_id"],
        policy=JobPolicy.of(row),
        grounds=Grounds.of(tenant, row),
        chosen_by=_chosen_by(row),
        attempts=row["attempts"],
        spent_cents=row["spent_cents"],
        open=row["open"],
        traceparent=row["traceparent"],
    )


def _chosen_by(row: Row) -> Policy | None:
    if row["decided_by"] is None:
        return None
    return Policy(
        strategy=row["decided_by"],
        version=row["policy_version"],
        propensity=row["propensity"],
        assignment_unit=assignment_unit(JobPolicy.of(row).assigned.arms),
    )


def give_back_unformed(
    tenant: UUID, model: str, reason: str, message: str, *, overdue_only: bool = False
) -> Statement[UUID]:
    """Parked jobs that no batch has taken are to be called directly. `overdue_only`: those that waited long enough."""
    params = {"tenant": tenant, "model": model, "reason": reason, "message": message, "overdue": overdue_only}
    return Statement(_SQL["give_back_unformed"], params, _id)


def give_back(held: HeldBatch, reason: str, message: str, *, overdue_only: bool = False) -> Statement[UUID]:
    """The jobs that wait for the batch still are to be called directly. `overdue_only`: those that waited enough."""
    params = {"tenant": held.tenant, "batch": held.id, "reason": reason, "message": message, "overdue": overdue_only}
    return Statement(_SQL["give_back"], params, _id)


@dataclass(frozen=True, slots=True)
class FailedLine:
    job: Asked
    message: str
    attempt: Attempt


def give_back_lines(held: HeldBatch, failed: Sequence[FailedLine], reason: str) -> Statement[UUID]:
    """These jobs are to be called directly; the attempts of those that waited still are booked."""
    events = [event_row(held.tenant, one.job.id, one.job.api_key_id, one.attempt) for one in failed]
    params = {
        "tenant": held.tenant,
        "ids": [one.job.id for one in failed],
        "messages": [one.message for one in failed],
        "reason": reason,
        "events": Jsonb(events),
    }
    return Statement(_SQL["give_back_lines"], params, _id)


def _fenced(held: HeldBatch) -> dict[str, Any]:
    return {"tenant": held.tenant, "id": held.id, "fence": held.fence}


def _id(row: Row) -> UUID:
    found: UUID = row["id"]
    return found
