"""Quotas as tests set and read them, and jobs that spend."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from builders import completed, new_job

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.ids import new_id
from aico.core.jobs import CacheMode, JobError, JobStatus
from aico.core.quotas import Expected, Period, Quota, Source, Unit
from aico.core.usage import Usage
from aico.store import claims, jobs, quotas
from aico.store.blocking import Database
from aico.store.claims import Ending
from aico.store.jobs import NewJob, Submitted
from aico.store.quotas import Outcome, Standing
from aico.store.scope import Scope
from aico.store.statement import Statement

MONTHLY_TOKENS = Quota("tenant", Period.MONTH, Unit.TOKENS)


def paid(cents: str | None = "0", tokens: int = 0, *, ago: timedelta = timedelta(), ok: bool = True) -> Attempt:
    return Attempt(
        id=new_id(),
        at=datetime.now(UTC) - ago,
        kind=AttemptKind.CALL,
        outcome=AttemptOutcome.OK if ok else AttemptOutcome.RETRYABLE,
        provider="local",
        model="smollm2-135m",
        latency_ms=1,
        usage=Usage(input_uncached=tokens),
        cost_cents=None if cents is None else Decimal(cents),
    )


def job(tokens: int = 10, cents: str = "0", **changes: Any) -> NewJob:
    """One that may use so much."""
    made = new_job("spend", mode=changes.pop("mode", CacheMode.OFF), key=changes.pop("key", None))
    return replace(made, expected=Expected(tokens, Decimal(cents)), **changes)


def refused(stored: list[Submitted]) -> list[UUID]:
    return [one.id for one in stored if one.refusal is not None]


@dataclass(frozen=True)
class Budgets:
    """Of one tenant."""

    database: Database
    tenant: UUID

    def run(self, statement: Statement[Any]) -> list[Any]:
        return self.database.run(Scope.tenant(self.tenant), statement)

    def limit(self, quota: Quota, amount: int | str, source: Source = Source.OPERATOR) -> None:
        assert self.run(quotas.put(self.tenant, quota, Decimal(amount), source, "operator")) == [Outcome.SET]

    def submit(self, *new: NewJob) -> list[Submitted]:
        return self.run(jobs.submit(self.tenant, new))

    def standing(self, quota: Quota = MONTHLY_TOKENS) -> Standing:
        """That of the least."""
        found: list[Standing] = [one for one in self.run(quotas.standings(self.tenant)) if one.quota == quota]
        return min(found, key=lambda one: one.limit)

    def figures(self, quota: Quota = MONTHLY_TOKENS) -> tuple[Decimal | int, Decimal | int]:
        """What is used and reserved."""
        standing = self.standing(quota)
        return standing.used, standing.reserved

    def end(self, job: UUID, *attempts: Attempt, fence: int = 0, failed: bool = False) -> None:
        """As whoever holds the job ends it, with what it took."""
        ending = (
            Ending(job, fence, JobStatus.FAILED, error=JobError(code="x", message="x"), attempts=attempts)
            if failed
            else Ending(
                job,
                fence,
                JobStatus.COMPLETED,
                answer=completed(job, fence).answer,
                routing=completed(job, fence).routing,
                attempts=attempts,
            )
        )
        assert [one.id for one in self.run(claims.finish(self.tenant, [ending], 60))] == [job]
