"""Jobs that ask the same, moved on step by step as the workers move them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from builders import ending_of, new_job
from conftest import Tenant

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline
from aico.core.ids import new_id
from aico.core.jobs import CacheMode, Job, JobError, JobStatus
from aico.core.usage import Usage
from aico.store import claims, flights, jobs, ledger
from aico.store.blocking import Database
from aico.store.claims import Claim, Ended, Ending
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.store.statement import Statement

QUESTION = "What is the capital of France?"


def call(cents: str | None = "1") -> Attempt:
    return Attempt(
        id=new_id(),
        at=datetime.now(UTC),
        kind=AttemptKind.CALL,
        outcome=AttemptOutcome.OK,
        provider="local",
        model="smollm2-135m",
        latency_ms=3,
        usage=Usage(input_uncached=100, output=50),
        cost_cents=None if cents is None else Decimal(cents),
    )


@dataclass(frozen=True)
class Flight:
    """Of one tenant."""

    database: Database
    tenant: Tenant
    admin: "psycopg.Connection[dict[str, Any]]"

    def run(self, statement: Statement[Any]) -> list[Any]:
        return self.database.run(Scope.tenant(self.tenant.id), statement)

    def ask(self, count: int = 1, prompt: str = QUESTION, **changes: Any) -> list[UUID]:
        """So many jobs that ask the same; none is claimed yet."""
        built = {name: changes.pop(name) for name in ("mode", "controls", "streams") if name in changes}
        made = [
            replace(new_job(prompt, **{"mode": CacheMode.EXACT, **built}), searchable=False, **changes)
            for _ in range(count)
        ]
        return self.store(*made)

    def store(self, *new: NewJob) -> list[UUID]:
        self.run(jobs.submit(self.tenant.id, new))
        return [job.id for job in new]

    def claim(self, job: UUID, lease: float = 30) -> Claim | None:
        """None: it follows, or is not there to be claimed."""
        found: list[Claim] = self.run(claims.claim(self.tenant.id, job, lease))
        return found[0] if found else None

    def lead(self, job: UUID, lease: float = 30) -> Claim:
        claim = self.claim(job, lease)
        assert claim is not None
        return claim

    def led(self, followers: int, **changes: Any) -> tuple[Claim, list[UUID]]:
        """Who leads, and who follows it."""
        first, *rest = self.ask(followers + 1, **changes)
        claim = self.lead(first)
        assert [self.claim(job) for job in rest] == [None] * followers
        assert {self.stage(job) for job in rest} == {"follow"}
        return claim, rest

    def answer(self, held: Claim, cents: str | None = "1", *, keep: bool = True, **changes: Any) -> list[Ended]:
        ending = ending_of(held, keep=keep)
        assert ending.routing is not None
        ending = replace(
            ending,
            api_key_id=held.api_key_id,
            attempts=(call(cents),),
            baseline=Baseline(model="gpt-5.4", cost_cents=Decimal(2)),
            arms=held.policy.assigned.arms,
            spent_cents=held.spent_cents,
        )
        shown = None if ending.cost_cents is None else str(ending.cost_cents)
        routing = ending.routing and ending.routing.model_copy(update={"cost_cents": shown})
        return self.finish(replace(ending, routing=routing, **changes))

    def fail(self, held: Claim) -> list[Ended]:
        error = JobError(code="all_candidates_failed", message="nobody answers")
        return self.finish(Ending(held.id, held.fence, JobStatus.FAILED, error=error))

    def finish(self, *endings: Ending) -> list[Ended]:
        return self.run(claims.finish(self.tenant.id, endings, 60))

    def hand_over(self, job: UUID) -> list[UUID]:
        return [one.id for one in self.run(flights.hand_over(self.tenant.id, job))]

    def sweep(self) -> list[UUID]:
        """Who of this tenant is found without a leader, and leads."""
        found = self.database.run(Scope.system(), flights.stranded())
        return [one.next.id for one in found if one.tenant == self.tenant.id]

    def see(self, job: UUID) -> Job:
        found: Job = self.run(jobs.get(self.tenant.id, job))[0]
        return found

    def stage(self, job: UUID) -> str:
        return str(self.see(job).stage)

    def states(self, which: Sequence[UUID]) -> list[str | None]:
        """How each was answered."""
        return [routing.cache.value if (routing := self.see(job).routing) else None for job in which]

    def cents(self, which: Sequence[UUID]) -> list[Decimal]:
        """As each job is told."""
        return [Decimal(self.see(job).routing.cost_cents) for job in which]  # type: ignore[union-attr, arg-type]

    def booked(self, which: Sequence[UUID]) -> list[dict[str, Any]]:
        self.run(ledger.book([self.tenant.id], list(which)))
        return self.rows("select * from public.ledger_attempts where tenant_id = %s order by at, kind")

    def rows(self, query: str) -> list[dict[str, Any]]:
        return self.admin.execute(query.encode(), (self.tenant.id,)).fetchall()
