"""A tenant with the same mark in everything that can be erased, and who erases it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from builders import completed, new_job, passed, unit_vector
from conftest import Postgres, Tenant
from psycopg import sql
from psycopg.rows import dict_row
from workers.batching import scene
from workers.learning import decided
from workers.test_route import provider, routed

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.data_rights import ErasureScope
from aico.core.ids import new_id
from aico.core.usage import Usage
from aico.store import claims, data_requests, embeddings, feedback, files, jobs, ledger, webhooks
from aico.store.data_requests import DataRequest, HeldRequest, RequestKind
from aico.store.jobs import IdempotencyKey, NewJob
from aico.store.scope import Scope
from aico.workers import data, erase_work
from aico.workers.runtime import Runtime

__all__ = ["provider", "routed", "scene"]


MARK = "heliotrope-4711"  # stands in every text that is to go


@dataclass
class Desk:
    """One tenant who asks, and the owner's view of every table."""

    runtime: Runtime
    tenant: Tenant
    admin: psycopg.Connection[dict[str, Any]]

    @property
    def scope(self) -> Scope:
        return Scope.tenant(self.tenant.id)

    def run(self, statement: Any) -> list[Any]:
        return self.runtime.database.run(self.scope, statement)

    def ask(self, **scope: Any) -> UUID:
        stored = ErasureScope.model_validate(scope or {"everything": True}).stored()
        request = data_requests.create(self.tenant.id, new_id(), RequestKind.ERASURE, "user:me", stored)
        (asked,) = self.run(request)
        return UUID(str(asked.id))

    def erase(self, **scope: Any) -> DataRequest:
        request = self.ask(**scope)
        data.work_on(self.runtime, self.tenant.id, request)
        return self.see(request)

    def see(self, request: UUID) -> DataRequest:
        found: DataRequest = self.run(data_requests.get(self.tenant.id, RequestKind.ERASURE, request))[0]
        return found

    def hold(self, request: UUID) -> HeldRequest:
        held: HeldRequest = self.run(data_requests.claim(self.tenant.id, request, 60))[0]
        return held

    def let_go(self, request: UUID) -> None:
        self.admin.execute("update data_requests set lease_until = null, step_at = now() where id = %s", (request,))

    def answered(self, prompt: str = f"who is {MARK}?", **fields: Any) -> NewJob:
        """A job through every table that holds something of it: cache, vector, outbox, ledger, feedback, keys."""
        key = IdempotencyKey(uuid4().hex, b"h" * 32, 3600)
        job = replace(new_job(prompt, key=key), metadata={"who": MARK}, **fields)
        self.run(jobs.submit(self.tenant.id, [job]))
        found = self.run(embeddings.to_embed(self.tenant.id, [job.id], 0.95))
        self.run(embeddings.advance(self.tenant.id, passed(found, np.stack([unit_vector(1)])), "variant"))
        (held,) = self.run(claims.claim(self.tenant.id, job.id, 30))
        ending = replace(
            completed(job.id, held.fence, text=f"it is {MARK}"),
            attempts=(attempt(), attempt()),
            decided=decided(held, asked=MARK),
        )
        self.run(claims.finish(self.tenant.id, [ending], 3600))
        self.run(ledger.book([self.tenant.id], [job.id]))
        self.run(feedback.give(self.tenant.id, job.id, score=0.5, comment=f"about {MARK}"))
        return job

    def traces(self) -> dict[str, int]:
        """In how many of the tenant's rows of which table and column the mark stands."""
        columns = self.admin.execute(
            "select n.nspname as schema, c.relname as name, a.attname::text as column, a.atttypid = 17 as bytes,"
            " exists (select from pg_attribute t where t.attrelid = c.oid and t.attname = 'tenant_id') as owned"
            " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
            " where n.nspname in ('public', 'realtime') and c.relkind in ('r', 'p')"
        ).fetchall()
        assert len(columns) > 200
        return {f"{row['name']}.{row['column']}": count for row in columns if (count := self._rows_with_mark(row))}

    def _rows_with_mark(self, column: dict[str, Any]) -> int:
        as_bytes = "position(convert_to({mark}, 'utf8') in {column}) > 0"
        as_text = "strpos({column}::text, {mark}) > 0"
        condition = sql.SQL(as_bytes if column["bytes"] else as_text)
        mine = "topic like 'tenant:' || {tenant} || '%%'" if column["name"] == "messages" else "true"
        whose = sql.SQL("tenant_id = {tenant}" if column["owned"] else mine)
        found = self.admin.execute(
            sql.SQL("select count(*) as rows from {table} where {whose} and {condition}").format(
                table=sql.Identifier(column["schema"], column["name"]),
                whose=whose.format(tenant=self.tenant.id),
                condition=condition.format(mark=MARK, column=sql.Identifier(column["column"])),
            )
        ).fetchone()
        return int(found["rows"]) if found else 0


def attempt(text: str = MARK) -> Attempt:
    """One in which the provider repeats what it was asked."""
    return Attempt(
        id=new_id(),
        at=datetime.now(UTC),
        kind=AttemptKind.CALL,
        outcome=AttemptOutcome.RETRYABLE,
        provider="local",
        model="smollm2-135m",
        latency_ms=1,
        usage=Usage(raw={"echo": text}),
        error=f"cannot answer {text}",
    )


@pytest.fixture
def desk(runtime: Runtime, tenant: Tenant, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Pages are small, so that a few rows fill several."""
    monkeypatch.setattr(erase_work, "PAGE", 2)
    monkeypatch.setattr(erase_work, "NOTICE_SECONDS", 0)
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as admin:
        yield Desk(runtime, tenant, admin)


def fill(desk: Desk) -> list[NewJob]:
    """The mark in every table that can hold a tenant's words."""
    tenant, run = desk.tenant.id, desk.run
    endpoint, experiment, file = new_id(), new_id(), new_id()
    run(webhooks.add(tenant, endpoint, "https://hooks.example.com", webhooks.make_secret(), []))
    answered = [desk.answered(f"number {number} of {MARK}") for number in range(5)]
    copy = new_job(f"number 1 of {MARK}")  # answered from the cache at once
    assert run(jobs.submit(tenant, [copy]))[0].answer is not None
    run(files.begin(tenant, file, f"{MARK}.jsonl", files.Purpose.BATCH))
    run(files.append(tenant, file, 0, MARK.encode()))
    run(files.complete(tenant, file, len(MARK), 3600))
    values = {"t": tenant, "x": experiment, "j": answered[0].id, "mark": MARK, "doc": json.dumps({"a": MARK})}
    for statement in (
        "insert into experiments (id, tenant_id, name) values (%(x)s, %(t)s, 'x')",
        (
            "insert into assignments (tenant_id, experiment_id, unit, arm, propensity)"
            " values (%(t)s, %(x)s, %(mark)s, 'a', 1)"
        ),
        "insert into outcomes (tenant_id, job_id, model, quality) values (%(t)s, %(j)s, %(mark)s, 1)",
        "insert into shadow_pairs (tenant_id, job_id, served, answer) values (%(t)s, %(j)s, 'm', %(mark)s)",
        (
            "insert into provider_batches (tenant_id, id, provider, model, status, lines, deadline, error)"
            " values (%(t)s, gen_random_uuid(), 'p', 'm', 'running', 1, now(), %(mark)s)"
        ),
        (
            "insert into learner_statistics (tenant_id, model, design, statistics, labels, clock, tasks)"
            " values (%(t)s, %(mark)s, 'd', 's', 1, 0, '{}')"
        ),
        (
            "insert into learner_solutions (tenant_id, version, design, solution, labels)"
            " values (%(t)s, 1, %(mark)s, 's', 1)"
        ),
        "insert into learners (tenant_id, version, pinned) values (%(t)s, 7, 1)",
        "update decisions set draft_model = %(mark)s where tenant_id = %(t)s and job_id = %(j)s",
        "update webhook_deliveries set last_error = %(mark)s, log = %(doc)s::jsonb where tenant_id = %(t)s",
        (
            "insert into realtime.messages (topic, extension, payload)"
            " values ('tenant:' || %(t)s::text, 'broadcast', %(doc)s::jsonb)"
        ),
    ):
        desk.admin.execute(statement, values)
    return answered
