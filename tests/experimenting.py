"""Experiments for tests, and jobs that go through them as they do in the service, but for who answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from builders import ending_of, new_job
from conftest import Tenant

from aico.core.assignment import Arm, Assigned, Treatment, Unit, draw, user_unit
from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.experiments import Plan
from aico.core.ids import new_id
from aico.core.jobs import CacheMode, JobError, JobStatus
from aico.core.keys import hash_key
from aico.store import api_keys, claims, experiments, jobs, ledger, outcomes, tenants
from aico.store.blocking import Database
from aico.store.experiments import Design, Outcome, Started
from aico.store.outcomes import Source
from aico.store.scope import Scope
from aico.store.statement import Statement

MODEL = "smollm2-135m"  # what `ending_of` says answered
TWO = (Arm(name="control", control=True), Arm(name="b", treatment=Treatment(quality_floor=0.1)))


def attempt(cents: str, outcome: AttemptOutcome = AttemptOutcome.OK, latency_ms: int = 3) -> Attempt:
    return Attempt(
        id=new_id(),
        at=datetime.now(UTC),
        kind=AttemptKind.CALL,
        outcome=outcome,
        provider="p",
        model="m",
        latency_ms=latency_ms,
        cost_cents=Decimal(cents),
    )


@dataclass(frozen=True)
class Lab:
    """Of a tenant."""

    database: Database
    tenant: Tenant

    @property
    def scope(self) -> Scope:
        return Scope.tenant(self.tenant.id)

    def draft(
        self,
        *,
        name: str = "x",
        unit: Unit = "job",
        arms: tuple[Arm, ...] = TWO,
        plan: Plan = Plan(),  # noqa: B008 - frozen
    ) -> UUID:
        experiment = new_id()
        create = experiments.create(self.tenant.id, experiment, name, "", Design(unit, arms, plan), "test")
        assert self.database.run(self.scope, create) == [Outcome.DONE]
        return experiment

    def start(self, experiment: UUID) -> Outcome:
        work: list[tuple[Scope, Statement[Any]]] = [
            (self.scope, tenants.lock(self.tenant.id)),
            (self.scope, experiments.start(self.tenant.id, experiment, "test")),
        ]
        started: Started = self.database.run_each(work)[1][0]
        return started.outcome

    def running(self, **design: Any) -> UUID:
        experiment = self.draft(**design)
        assert self.start(experiment) is Outcome.DONE
        return experiment

    def see(self, experiment: UUID) -> experiments.Experiment:
        (found,) = self.database.run(self.scope, experiments.get(self.tenant.id, experiment))
        return found

    def drawn(self, user: str | None = None) -> tuple[UUID, Assigned]:
        """A job's id and what it is drawn into, as the API does it that asks the database who the key's holder is."""
        (holder,) = self.database.run(Scope.system(), api_keys.authenticate(hash_key(self.tenant.key)))
        job = new_id()
        units: dict[Unit, str] = {"job": str(job), "key": str(self.tenant.key_id)}
        if user is not None:
            units["user"] = user_unit(holder.programme.salt, user)
        return job, draw(holder.programme, units, None)

    def ended(
        self, assigned: Assigned, attempts: Sequence[Attempt], job: UUID | None = None, *, failed: bool = False
    ) -> UUID:
        """A job that went through all statements, and is booked."""
        made = replace(
            new_job("prompt", mode=CacheMode.OFF), id=job or new_id(), assigned=assigned, api_key_id=self.tenant.key_id
        )
        self.database.run(self.scope, jobs.submit(self.tenant.id, [made]))
        (held,) = self.database.run(self.scope, claims.claim(self.tenant.id, made.id, 30))
        ending = replace(
            ending_of(held, keep=False),
            attempts=tuple(attempts),
            arms=held.policy.assigned.arms,
            api_key_id=self.tenant.key_id,
        )
        if failed:
            error = JobError(code="no_answer", message="nobody answers")
            ending = replace(ending, status=JobStatus.FAILED, answer=None, routing=None, error=error)
        self.database.run(self.scope, claims.finish(self.tenant.id, [ending], 60))
        self.database.run(self.scope, ledger.book([self.tenant.id], [made.id]))
        return made.id

    def judge(self, job: UUID, quality: float) -> list[bool]:
        return self.database.run(self.scope, outcomes.observe(self.tenant.id, job, MODEL, quality, Source.USER))

    def in_arm(self, experiment: UUID, arm: str) -> Assigned:
        return Assigned(arms=(f"{experiment}/{arm}",))
