"""What is erased leaves no trace in any table, and the accounts stay."""

from collections.abc import Callable

from conftest import Tenant
from workers.batching import scene
from workers.erasing import MARK, Desk, desk, fill
from workers.test_route import provider, routed

from aico.core.data_rights import receipt_digest
from aico.store import erasures, jobs, learner, ledger
from aico.store.data_requests import RequestStatus
from aico.store.learner import Lesson, Solution

__all__ = ["desk", "provider", "routed", "scene"]


def test_after_everything_was_erased_no_table_holds_a_trace(desk: Desk) -> None:
    fill(desk)
    before = desk.traces()
    for column in (
        *("jobs.request", "jobs.answer", "jobs.metadata", "cache_entries.answer", "ledger_attempts.usage_raw"),
        *("ledger_attempts.error", "feedback.comment", "file_chunks.data", "files.filename", "outcomes.model"),
        *(
            "decisions.asked",
            "decisions.draft_model",
            "learner_statistics.model",
            "learner_solutions.design",
            "shadow_pairs.answer",
        ),
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
        "shadow_pairs": 1,
        "jobs": 6,
        "cache_entries": 5,
        "cache_namespaces": 1,
        "idempotency_keys": 5,
        "feedback": 5,
        "outcomes": 6,  # five of them of the feedback
        "decisions": 5,
        "learner_statistics": 1,
        "learner_solutions": 1,
        "assignments": 1,
        "webhook_deliveries": 6,
        "batch_faults": 0,
        "batches": 0,
        "data_requests": 0,
        "files": 1,
        "metric_rollups": 0,
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


def test_sums_under_a_tag_go_with_it_and_all_others_stay(desk: Desk, make_tenant: Callable[[], Tenant]) -> None:
    other = Desk(desk.runtime, make_tenant(), desk.admin)
    for one in (desk, other):
        one.answered("who asks?", tags=(MARK, "team:a"))

    def sums(one: Desk) -> dict[str, int]:
        rows = desk.admin.execute(
            "select dimension || ' ' || name as name, sum(attempts)::integer as attempts from metric_rollups"
            " where tenant_id = %s group by dimension, name",
            (one.tenant.id,),
        ).fetchall()
        return {row["name"]: row["attempts"] for row in rows}

    before = sums(desk)
    assert sums(other) == before
    assert desk.erase(tag=MARK).counts["metric_rollups"] == 3
    assert sums(desk) == {name: count for name, count in before.items() if name != f"tag {MARK}"}
    desk.erase()
    assert sums(desk) == {name: count for name, count in before.items() if not name.startswith("tag ")}
    assert sums(other) == before


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


def test_who_takes_the_learner_up_during_an_erasure_finds_nothing_to_carry_on(desk: Desk) -> None:
    fill(desk)
    request = desk.hold(desk.ask())
    desk.runtime.database.run_each([(desk.scope, one) for one in erasures.stop_learner(request)])
    assert desk.run(learner.claim(desk.tenant.id, 60))
    assert desk.run(learner.statistics(desk.tenant.id)) == []


def test_an_erasure_shuts_out_whoever_learns_and_what_was_learned_counts_no_more(desk: Desk) -> None:
    fill(desk)
    (held,) = desk.run(learner.claim(desk.tenant.id, 60))
    desk.erase()
    lesson = Lesson("d", 1.0, [], [], Solution(b"s", 1.0, None, None))
    assert desk.run(learner.keep(held, lesson, 0)) == []
    assert desk.run(learner.history(desk.tenant.id)) == []
    (standing,) = desk.run(learner.standing(desk.tenant.id))
    assert (standing.version, standing.pinned) == (8, None)  # no version is given out twice
