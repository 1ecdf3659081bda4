"""What asking about an answer in doubt costs, and who pays: booked once, whatever happens, and never over budget."""

import json
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from workers.asking import JUDGED, KEPT, SERVES, Begin, in_doubt
from workers.auditing import DIFFERENT, SAME, play
from workers.comparing import JUDGE, LARGE, SAID, SMALL

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.ids import new_id
from aico.core.jobs import CacheState, JobStatus
from aico.store import backlog, claims
from aico.store import grey_zone as asks
from aico.store.grey_zone import Heard
from aico.store.scope import Scope
from aico.store.shadow_pairs import PairCall
from aico.workers import grey_zone, route

__all__ = ["in_doubt", "play"]


def test_an_answer_that_serves_costs_what_the_judge_did(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says(SAME)
    job = doubt.job()
    ended = doubt.route(job)
    assert ended.routing is not None
    assert Decimal(ended.routing.cost_cents or 0) == JUDGED
    assert ended.routing.attempts == 1
    assert doubt.booked(job) == [("judge", JUDGE, "ok", JUDGED), ("semantic_hit", SMALL, "ok", 0)]
    assert doubt.spent() == JUDGED
    (all_together,) = doubt.cache.rows("select cents, held_cents from private.judge_days where %s is not null", None)
    assert (all_together["cents"], all_together["held_cents"]) == (JUDGED, 0)


def test_an_answer_that_does_not_serve_adds_the_judge_to_what_the_job_costs(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says(DIFFERENT)
    job = doubt.job()
    ended = doubt.route(job)
    booked = doubt.booked(job)
    assert [(kind, model) for kind, model, *_ in booked] == [("judge", JUDGE), ("call", LARGE)]
    assert ended.routing is not None
    assert Decimal(ended.routing.cost_cents or 0) == sum(cents for *_, cents in booked)
    assert doubt.spent() == JUDGED


def test_what_is_asked_counts_against_quotas_and_audits_do_not(in_doubt: Begin) -> None:
    doubt = in_doubt(cache_audit_share=1.0)
    doubt.says(SAME)
    tenant = doubt.cache.tenant.id
    doubt.cache.scene.admin.execute(
        "select private.set_quota(%s, 'tenant', 'day', 'cents', 'operator', 100, 1)", (tenant,)
    )
    job = doubt.job()
    doubt.cache.check(job, doubt.entry, "near")
    doubt.route(job)
    doubt.cache.audit(job.id)
    doubt.booked(job)
    (window,) = doubt.cache.rows("select used from quota_windows where tenant_id = %s and unit = 'cents'", None)
    assert window["used"] == JUDGED
    (anew,) = doubt.cache.rows("select private.used_since(%s, 'tenant', 'day', 'cents', private.today()) as used", None)
    assert anew["used"] == JUDGED


@pytest.mark.parametrize(
    "said", ["yes", '{"verdict": "perhaps"}', f"Sure. {SAME}", json.dumps({"verdict": "same", "more": 1}), ""]
)
def test_a_judge_who_gives_no_verdict_is_paid_and_the_job_is_called(in_doubt: Begin, said: str) -> None:
    doubt = in_doubt()
    doubt.says(said)
    job = doubt.job()
    ended = doubt.route(job)
    assert doubt.asked() == [JUDGE, LARGE]
    assert ended.answer is not None
    assert ended.answer.text == SAID[LARGE]
    assert [kind for kind, *_ in doubt.booked(job)] == ["judge", "call"]
    assert doubt.checks(job) == []


@pytest.mark.parametrize("status", [400, 429, 500])
def test_a_judge_who_fails_is_asked_once_and_nothing_is_spent(in_doubt: Begin, status: int) -> None:
    doubt = in_doubt()
    doubt.cache.scene.server.status = {JUDGE: status}
    job = doubt.job()
    ended = doubt.route(job)
    assert ended.status is JobStatus.COMPLETED
    assert doubt.asked() == [JUDGE, LARGE]
    assert [(kind, cents) for kind, _, outcome, cents in doubt.booked(job) if outcome != "ok"] == [("judge", None)]
    assert doubt.spent() == 0


def test_a_judge_who_is_late_is_not_waited_for(in_doubt: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    doubt = in_doubt()
    monkeypatch.setattr(grey_zone, "SECONDS", 0.3)
    answered = threading.Event()

    def never(_: object) -> str:
        answered.wait(20)
        return SERVES

    doubt.cache.scene.server.judging = never
    job = doubt.job()
    ended = doubt.route(job)
    answered.set()
    assert ended.answer is not None
    assert ended.answer.text == SAID[LARGE]
    assert [(kind, outcome) for kind, _, outcome, _ in doubt.booked(job)] == [("judge", "retryable"), ("call", "ok")]


def test_workers_that_ask_at_once_keep_to_the_budget(in_doubt: Begin) -> None:
    budget = Decimal("0.1")  # one judge's call may cost more than half of it
    doubt = in_doubt(judge_daily_budget_cents=budget)
    prompts = [f"Which city governs France, part {number}?" for number in range(6)]
    found = [doubt.job(prompt) for prompt in prompts]
    release = threading.Event()

    def slowly(_: object) -> str:
        release.wait(20)
        return SERVES

    doubt.cache.scene.server.judging = slowly
    with ThreadPoolExecutor(6) as pool:
        running = {pool.submit(doubt.route, job) for job in found}
        while len(running) > 1:
            done, running = wait(running, timeout=20, return_when=FIRST_COMPLETED)
            assert done
        assert doubt.asked().count(JUDGE) == 1
        assert 0 < doubt.spent() <= budget
        release.set()
    assert doubt.spent() == JUDGED


def test_a_worker_that_dies_while_it_asks_leaves_the_money_booked_once(
    in_doubt: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubt = in_doubt()
    job = doubt.job()
    with monkeypatch.context() as patched:
        patched.setattr(doubt.cache.scene.comparer, "ask", dies)
        with pytest.raises(_Died):
            doubt.route(job)
    held = doubt.spent()
    assert held > 0
    doubt.change("lease_until = now() - interval '1 second'", job)
    ended = doubt.route(job)
    assert doubt.asked() == [LARGE]
    lost, call = doubt.booked(job)
    assert lost == ("judge", JUDGE, "lost", held)
    assert call[:3] == ("call", LARGE, "ok")
    assert doubt.spent() == held
    assert ended.routing is not None
    assert Decimal(ended.routing.cost_cents or 0) == held + call[3]


def test_a_worker_that_dies_before_it_serves_leaves_the_verdict_and_the_money(
    in_doubt: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubt = in_doubt()
    doubt.says(SAME)
    job = doubt.job()
    with monkeypatch.context() as patched:
        patched.setattr(route, "finish", dies)
        with pytest.raises(_Died):
            doubt.route(job)
    doubt.change("lease_until = now() - interval '1 second'", job)
    ended = doubt.route(job)
    assert doubt.asked() == [JUDGE]
    assert (ended.answer and ended.answer.text, ended.routing and ended.routing.cache) == (KEPT, CacheState.EXACT)
    assert ended.routing is not None
    assert Decimal(ended.routing.cost_cents or 0) == JUDGED
    assert doubt.booked(job) == [("judge", JUDGE, "ok", JUDGED), ("exact_hit", SMALL, "ok", 0)]
    assert doubt.spent() == JUDGED


@pytest.mark.parametrize(
    ("last", "booked"),
    [("comparer", [("judge", JUDGE, "lost")]), ("router", [("judge", JUDGE, "ok")])],
    ids=["while it asks", "after it has asked"],
)
def test_a_job_that_expires_with_its_worker_leaves_the_question_booked_once(
    in_doubt: Begin, monkeypatch: pytest.MonkeyPatch, last: str, booked: list[tuple[str, str, str]]
) -> None:
    doubt = in_doubt()
    doubt.says(DIFFERENT)
    job = doubt.job()
    with monkeypatch.context() as patched:
        patched.setattr(getattr(doubt.cache.scene, last), {"comparer": "ask", "router": "answer"}[last], dies)
        with pytest.raises(_Died):
            doubt.route(job)
    doubt.change("lease_until = now() - interval '1 second', deadline = now() - interval '1 second'", job)
    overdue = backlog.end_overdue(max_losses=5, limit=500)
    assert job.id in [one.id for one in doubt.cache.scene.runtime.database.run(Scope.system(), overdue)]
    rows = doubt.booked(job)
    assert [row[:3] for row in rows] == booked
    assert sum(row[3] for row in rows) == doubt.spent()


def test_a_worker_that_dies_after_a_refusal_asks_nobody_again(in_doubt: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    doubt = in_doubt()
    doubt.says(DIFFERENT)
    job = doubt.job()
    with monkeypatch.context() as patched:
        patched.setattr(doubt.cache.scene.router, "answer", dies)
        with pytest.raises(_Died):
            doubt.route(job)
    doubt.change("lease_until = now() - interval '1 second'", job)
    doubt.route(job)
    assert doubt.asked() == [JUDGE, LARGE]
    assert [(kind, outcome) for kind, _, outcome, _ in doubt.booked(job)] == [("judge", "ok"), ("call", "ok")]


def test_what_is_said_to_the_database_twice_is_done_once(in_doubt: Begin) -> None:
    doubt = in_doubt()
    job, database, scope = doubt.job(), doubt.cache.scene.runtime.database, Scope.tenant(doubt.cache.tenant.id)
    (held,) = database.run(scope, claims.claim(doubt.cache.tenant.id, job.id, 30))
    call = PairCall(
        id=new_id(), kind=AttemptKind.JUDGE, provider="p", model=JUDGE, at=datetime.now(UTC), cents=Decimal("0.5")
    )
    begin = asks.begin(held, call, tenant_budget=Decimal(1), service_budget=Decimal(1))
    assert [database.run(scope, begin) for _ in range(2)] == [[True], [True]]
    assert doubt.spent() == Decimal("0.5")
    another = asks.begin(
        held, call.model_copy(update={"id": new_id()}), tenant_budget=Decimal(1), service_budget=Decimal(1)
    )
    assert database.run(scope, another) == [False]
    made = Attempt(
        **call.model_dump(include={"id", "kind", "provider", "model", "at"}),
        outcome=AttemptOutcome.OK,
        latency_ms=1,
        cost_cents=Decimal("0.2"),
    )
    settle = asks.settle(held, call, [made], Heard({doubt.entry: True}, audited=False, chance=1.0))
    assert [database.run(scope, settle)[0].held for _ in range(2)] == [True, True]
    (row,) = doubt.cache.rows("select spent_cents, attempts from jobs where id = %s", job.id)
    assert (row["spent_cents"], row["attempts"]) == (Decimal("0.2"), 1)
    assert (doubt.spent(), len(doubt.booked(job))) == (Decimal("0.2"), 1)


class _Died(Exception):
    pass


def dies(*_: Any, **__: Any) -> Any:
    raise _Died
