"""What is erased leaves no trace in any table, and what comes too late is not stored."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from builders import completed, new_job, unit_vector
from conftest import Postgres, Tenant
from psycopg import sql
from psycopg.rows import dict_row
from workers.batching import Scene, line, scene
from workers.provider_server import Server
from workers.test_route import called, provider, routed

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.data_rights import ErasureScope, receipt_digest
from aico.core.ids import new_id
from aico.core.jobs import CacheMode, JobStatus
from aico.core.usage import Usage
from aico.store import batches, claims, data_requests, erasures, feedback, files, jobs, ledger, webhooks
from aico.store.data_requests import DataRequest, HeldRequest, RequestKind, RequestStatus
from aico.store.jobs import IdempotencyKey, NewJob
from aico.store.scope import Scope
from aico.workers import data, erase_work, said
from aico.workers.erase_work import Erasure
from aico.workers.queue import CANCELLED_CHANNEL
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
        found = self.run(claims.to_embed(self.tenant.id, [job.id], 0.95))
        self.run(claims.advance(self.tenant.id, found, np.stack([unit_vector(1)]), "variant"))
        (held,) = self.run(claims.claim(self.tenant.id, job.id, 30))
        ending = replace(completed(job.id, held.fence, text=f"it is {MARK}"), attempts=(attempt(), attempt()))
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
        whose = sql.SQL("tenant_id = {tenant}" if column["owned"] else "true")
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
        (
            "insert into provider_batches (tenant_id, id, provider, model, status, lines, deadline, error)"
            " values (%(t)s, gen_random_uuid(), 'p', 'm', 'running', 1, now(), %(mark)s)"
        ),
        "update webhook_deliveries set last_error = %(mark)s, log = %(doc)s::jsonb where tenant_id = %(t)s",
        (
            "insert into realtime.messages (topic, extension, payload)"
            " values ('tenant:' || %(t)s::text, 'broadcast', %(doc)s::jsonb)"
        ),
    ):
        desk.admin.execute(statement, values)
    return answered


def test_after_everything_was_erased_no_table_holds_a_trace(desk: Desk) -> None:
    fill(desk)
    before = desk.traces()
    for column in (
        *("jobs.request", "jobs.answer", "jobs.metadata", "cache_entries.answer", "ledger_attempts.usage_raw"),
        *("ledger_attempts.error", "feedback.comment", "file_chunks.data", "files.filename", "outcomes.model"),
        *("assignments.unit", "provider_batches.error", "webhook_deliveries.last_error", "messages.payload"),
    ):
        assert column in before, column
    receipt = desk.erase()
    assert receipt.status is RequestStatus.COMPLETED
    assert desk.traces() == {}
    vectors = "select count(*) as rows from cache_vectors where tenant_id = %s"
    assert desk.admin.execute(vectors, (desk.tenant.id,)).fetchone() == {"rows": 0}


def test_the_receipt_counts_what_went_and_can_be_checked(desk: Desk) -> None:
    fill(desk)
    receipt = desk.erase()
    assert receipt.counts == {
        "jobs": 6,
        "cache_entries": 5,
        "idempotency_keys": 5,
        "feedback": 5,
        "outcomes": 1,
        "assignments": 1,
        "webhook_deliveries": 6,
        "batch_faults": 0,
        "batches": 0,
        "data_requests": 0,
        "files": 1,
        "ledger_attempts": 10,
        "realtime.messages": 1,
    }
    assert receipt.started_at is not None
    assert receipt.finished_at is not None
    assert receipt.sha256 == receipt_digest(
        desk.tenant.id, receipt.id, receipt.scope, receipt.counts, receipt.started_at, "user:me"
    )
    rows = desk.admin.execute(
        "select actor, action, subject from audit_log where tenant_id = %s and action ~ '^erasure' order by at",
        (desk.tenant.id,),
    ).fetchall()
    assert rows == [
        {"actor": "user:me", "action": "erasure.requested", "subject": str(receipt.id)},
        {"actor": "user:me", "action": "erasure.completed", "subject": str(receipt.id)},
    ]
    assert desk.erase().counts["jobs"] == 0
    assert desk.see(receipt.id) == receipt


def test_the_accounts_stay_as_they_were(desk: Desk) -> None:
    fill(desk)
    desk.run(
        ledger.book(
            [desk.tenant.id],
            [
                row["job_id"]
                for row in desk.admin.execute(
                    "select job_id from ledger_outbox where tenant_id = %s", (desk.tenant.id,)
                )
            ],
        )
    )
    figures = (
        "select id, at, job_id, kind, outcome, provider, model, cost_cents, input_uncached, output, latency_ms"
        " from ledger_attempts where tenant_id = %s order by id"
    )
    sums = "select * from rollups where tenant_id = %s order by grain, bucket, kind, provider, model"
    before = [desk.admin.execute(query, (desk.tenant.id,)).fetchall() for query in (figures, sums)]
    assert len(before[0]) == 11
    desk.erase()
    assert [desk.admin.execute(query, (desk.tenant.id,)).fetchall() for query in (figures, sums)] == before


def test_another_tenants_data_is_left_alone(desk: Desk, make_tenant: Callable[[], Tenant]) -> None:
    other = Desk(desk.runtime, make_tenant(), desk.admin)
    job = other.answered()
    fill(desk)
    desk.erase()
    assert other.run(jobs.get(other.tenant.id, job.id))[0].answer is not None
    row = desk.admin.execute(
        "select count(*) as rows from ledger_attempts where tenant_id = %s and usage_raw is not null",
        (other.tenant.id,),
    ).fetchone()
    assert row == {"rows": 2}
    other.erase()
    assert desk.traces() == {}


def test_another_tenants_job_cannot_be_named(desk: Desk, make_tenant: Callable[[], Tenant]) -> None:
    other = Desk(desk.runtime, make_tenant(), desk.admin)
    theirs, mine = other.answered(), desk.answered()
    receipt = desk.erase(job_ids=[str(theirs.id), str(mine.id)])
    assert receipt.counts["jobs"] == 1
    assert other.run(jobs.get(other.tenant.id, theirs.id))[0].answer is not None
    assert other.traces()["ledger_attempts.error"] == 2


def test_an_answer_that_comes_after_the_erasure_is_stored_nowhere(
    desk: Desk, routed: Runtime, provider: Server, tenant: Tenant
) -> None:
    provider.replies = [(200, f"it is {MARK}", "stop")]
    with called(routed, provider, tenant) as job:
        assert desk.erase().status is RequestStatus.COMPLETED
        provider.gate.set()
    assert desk.run(jobs.get(tenant.id, job.id)) == []
    assert desk.traces() == {}


def test_the_words_of_a_late_attempt_are_dropped_and_its_cost_is_booked(desk: Desk) -> None:
    job = new_job(f"late {MARK}", mode=CacheMode.EXACT)
    desk.run(jobs.submit(desk.tenant.id, [job]))
    (held,) = desk.run(claims.claim(desk.tenant.id, job.id, 30))
    desk.erase()
    late = replace(completed(job.id, held.fence, text=MARK), attempts=(attempt(),))
    assert desk.run(claims.finish(desk.tenant.id, [late], 3600)) == []
    desk.run(claims.lose(held, attempt()))
    assert desk.traces() == {}
    assert desk.run(ledger.pending(desk.tenant.id)) == [2]


def test_an_attempt_that_is_being_booked_makes_the_erasure_wait(desk: Desk, postgres: Postgres) -> None:
    job = new_job(f"at once {MARK}", mode=CacheMode.EXACT)
    desk.run(jobs.submit(desk.tenant.id, [job]))
    row = {"t": desk.tenant.id, "j": job.id, "mark": MARK}
    with psycopg.connect(postgres.admin_url) as other, ThreadPoolExecutor(1) as pool:
        other.execute(
            "insert into ledger_outbox (id, tenant_id, at, job_id, kind, outcome, provider, model, latency_ms, error)"
            " values (gen_random_uuid(), %(t)s, now(), %(j)s, 'call', 'ok', 'p', 'm', 1, %(mark)s)",
            row,
        )
        erasing = pool.submit(desk.erase)
        while not desk.admin.execute("select 1 from pg_locks where not granted").fetchall():
            assert not erasing.done()
        other.commit()
        assert erasing.result(30).status is RequestStatus.COMPLETED
    assert desk.traces() == {}


def test_a_semantic_hit_of_an_erased_answer_is_not_served(desk: Desk) -> None:
    desk.answered()
    asking = new_job(f"another wording of {MARK}")
    desk.run(jobs.submit(desk.tenant.id, [asking]))
    (entry,) = desk.admin.execute("select id from cache_entries where tenant_id = %s", (desk.tenant.id,)).fetchall()
    desk.admin.execute("delete from cache_entries where id = %s", (entry["id"],))
    hit = replace(completed(asking.id, 0, text=MARK, keep=False), entry=entry["id"])
    assert desk.run(claims.finish(desk.tenant.id, [hit], 3600)) == []
    assert desk.run(jobs.get(desk.tenant.id, asking.id))[0].status is JobStatus.QUEUED


def test_streamed_text_is_dropped_and_whoever_works_on_the_job_is_told(desk: Desk) -> None:
    job = new_job("a stream", streams=True, mode=CacheMode.EXACT)
    desk.run(jobs.submit(desk.tenant.id, [job]))
    (held,) = desk.run(claims.claim(desk.tenant.id, job.id, 30))
    key = said.key(job.id, held.fence - 1)
    desk.runtime.redis.set(key, MARK)
    with desk.runtime.redis.pubsub() as hearing:  # type: ignore[no-untyped-call]
        hearing.subscribe(CANCELLED_CHANNEL)
        hearing.get_message(timeout=5)
        desk.erase()
        message = hearing.get_message(timeout=5)
    assert message is not None
    assert message["data"] == str(job.id)
    assert desk.runtime.redis.get(key) is None


def test_an_erasure_that_is_cut_off_goes_on_from_where_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk)
    request = desk.ask()
    real, calls = erasures.rows, []

    def dying(held: HeldRequest, noun: str, *, limit: int) -> Any:
        calls.append(noun)
        if len(calls) == 6:
            raise SystemError("the process is killed")
        return real(held, noun, limit=limit)

    monkeypatch.setattr(erasures, "rows", dying)
    with pytest.raises(SystemError):
        Erasure(desk.runtime, desk.hold(request)).run()
    desk.let_go(request)
    data.work_on(desk.runtime, desk.tenant.id, request)
    receipt = desk.see(request)
    assert receipt.status is RequestStatus.COMPLETED
    assert (receipt.counts["jobs"], receipt.counts["cache_entries"]) == (6, 5)
    assert desk.traces() == {}


def test_whoever_lost_the_claim_counts_and_ends_nothing(desk: Desk) -> None:
    desk.answered()
    request = desk.ask()
    stale = desk.hold(request)
    desk.let_go(request)
    desk.hold(request)
    assert Erasure(desk.runtime, stale).run() is False
    assert desk.see(request).status is RequestStatus.IN_PROGRESS
    assert desk.see(request).counts.get("jobs", 0) == 0
    assert desk.traces() != {}


def test_a_tag_erases_its_jobs_with_what_was_copied_from_them(desk: Desk) -> None:
    kept = desk.answered("an innocent question", tags=("b",))
    gone = [desk.answered(f"{number} {MARK}", tags=("a", "b")) for number in range(3)]
    copy = new_job(f"1 {MARK}")
    assert desk.run(jobs.submit(desk.tenant.id, [copy]))[0].answer is not None
    receipt = desk.erase(tag="a")
    assert receipt.counts["jobs"] == 4
    assert receipt.counts["cache_entries"] == 3
    for job in (*gone, copy):
        assert desk.run(jobs.get(desk.tenant.id, job.id)) == []
    assert desk.run(jobs.get(desk.tenant.id, kept.id))[0].answer is not None
    marks = desk.traces()
    assert set(marks) <= {
        f"{table}.{column}"
        for table, column in (
            ("jobs", "metadata"),
            ("jobs", "answer"),
            ("cache_entries", "answer"),
            ("feedback", "comment"),
            ("ledger_attempts", "usage_raw"),
            ("ledger_attempts", "error"),
        )
    }
    assert desk.erase(job_ids=[str(kept.id)]).counts["jobs"] == 1
    assert desk.traces() == {}


def test_jobs_from_before_a_time_are_erased_and_later_ones_stay(desk: Desk) -> None:
    older = desk.answered()
    row = desk.admin.execute("select clock_timestamp() as now").fetchone()
    assert row is not None
    later = desk.answered("an innocent question")
    receipt = desk.erase(before=row["now"].isoformat())
    assert receipt.counts["jobs"] == 1
    assert desk.run(jobs.get(desk.tenant.id, older.id)) == []
    assert desk.run(jobs.get(desk.tenant.id, later.id)) != []


def test_an_open_batch_is_ended_before_its_lines_and_files_go(desk: Desk, scene: Scene) -> None:
    batch = scene.taken_in([line(MARK, prompt=f"one {MARK}"), line("b", prompt=f"two {MARK}")])
    first, _ = scene.jobs(batch)
    request = desk.ask(before=datetime.now(UTC).isoformat())
    data.work_on(desk.runtime, desk.tenant.id, request)
    assert desk.see(request).finished_at is None
    assert scene.see(batch).status is batches.BatchStatus.CANCELLING
    assert scene.finish(batch).status is batches.BatchStatus.CANCELLED
    desk.let_go(request)
    data.work_on(desk.runtime, desk.tenant.id, request)
    assert desk.see(request).counts["jobs"] == 2
    assert scene.run(jobs.get(desk.tenant.id, first.id)) == []
    assert desk.traces() == {}


def test_everything_ends_open_batches_at_once(desk: Desk, scene: Scene) -> None:
    batch = scene.taken_in([line("a", prompt=MARK)])
    held = scene.claim(batch)
    desk.erase()
    assert desk.traces() == {}
    scene.work.step(held)  # whoever was at it
    assert desk.traces() == {}
    assert scene.run(batches.get(desk.tenant.id, batch)) == []


def test_the_service_cannot_strip_the_ledger_of_a_tenant_that_it_did_not_name(
    desk: Desk, make_tenant: Callable[[], Tenant]
) -> None:
    job = desk.answered()
    with psycopg.connect(desk.runtime.settings.database_url) as connection:
        connection.execute(
            "select set_config('role', 'aico_service', true), set_config('aico.tenants', %s, true)",
            (str(make_tenant().id),),
        )
        found = connection.execute("select private.erase_ledger_of(%s, %s)", (desk.tenant.id, [job.id])).fetchone()
        assert found == (0,)
        page = connection.execute("select erased from private.erase_ledger_after(%s, '', 10)", (desk.tenant.id,))
        assert page.fetchone() == (0,)
    assert desk.traces()["ledger_attempts.error"] == 2
    desk.erase()
