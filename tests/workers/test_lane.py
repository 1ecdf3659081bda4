"""Work that can wait, from the claim to the answer, through the stand-ins of three providers' batch APIs."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from conftest import Postgres, Tenant
from routing.batch_apis import OpenAIServer
from workers.laning import HOURS, SERVERS, Scene, only, playing

from aico.core.jobs import JobClass, JobStatus
from aico.core.usage import Usage
from aico.store import claims, jobs
from aico.store.lanes import Parked
from aico.workers.route import park
from aico.workers.runtime import Runtime
from aico.workers.sweep import Sweeper


@pytest.fixture(params=list(SERVERS))
def scene(
    request: pytest.FixtureRequest,
    runtime: Runtime,
    tenant: Tenant,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Scene]:
    with playing(request.param, runtime, tenant, postgres, monkeypatch) as played:
        yield played


def test_from_the_claim_to_the_answer_at_half_the_price(scene: Scene) -> None:
    first, second = scene.park("What is the capital of France?"), scene.park("And of Italy?")
    assert scene.row(first)["lease_until"] is None
    formed = scene.form()
    assert (formed["status"], formed["lines"], formed["provider"]) == ("creating", 2, scene.provider)
    scene.server.ready_after = HOURS
    created = scene.step()
    assert (created["status"], list(scene.server.batches)) == ("running", [created["remote_id"]])
    assert scene.step()["status"] == "running"
    assert scene.job(first).status is JobStatus.IN_PROGRESS
    scene.server.ready_after = 0
    ended = scene.step()
    assert (ended["status"], ended["lease_until"]) == ("ended", None)
    job = scene.job(first)
    assert job.status is JobStatus.COMPLETED
    assert job.answer is not None
    assert job.answer.text == "echo: What is the capital of France?"
    assert job.routing is not None
    assert (job.routing.lane, job.routing.attempts, job.routing.provider) == ("batch", 1, scene.provider)
    assert job.routing.reasons[-1].startswith("batch lane")
    assert scene.job(second).status is JobStatus.COMPLETED
    assert scene.runtime.redis.llen("record") > 0


def test_what_was_decided_when_a_job_was_parked_is_what_is_logged(scene: Scene) -> None:
    job = scene.park("What is the capital of France?")
    parked = scene.decision(job)
    assert (parked["first_choice"], parked["model"], parked["cost_cents"]) == (scene.row(job)["lane_model"], None, None)
    scene.form()
    scene.step()
    scene.sql("update decisions set propensity = 0.25 where tenant_id = %(t)s")  # as if by chance
    scene.step()
    ended, report = scene.decision(job), scene.job(job).routing
    assert report is not None
    assert (ended["at"], ended["model"]) == (parked["at"], report.model)
    assert ended["cost_cents"] == Decimal(str(report.cost_cents))
    (event,) = scene.events()
    assert (event["strategy"], event["propensity"]) == (parked["strategy"], 0.25)


def test_the_cost_that_is_booked_is_half(scene: Scene) -> None:
    job = scene.park("What is the capital of France?")
    scene.form()
    scene.step()
    scene.step()
    (event,) = scene.events()
    assert (event["kind"], event["outcome"], event["batch"]) == ("call", "ok", True)
    usage = Usage(input_uncached=event["input_uncached"], output=event["output"])
    full = scene.router._answers.prices.cost_cents(scene.provider, event["model"], usage, event["at"])
    assert full is not None
    assert event["cost_cents"] == (full.cents / 2).quantize(Decimal("0.000001"))
    assert event["baseline_cost_cents"] > event["cost_cents"]
    assert event["policy_version"]
    assert event["job_id"] == job


def test_an_answer_from_a_lane_is_served_again_from_the_cache(scene: Scene) -> None:
    scene.park("What is the capital of France?")
    scene.form()
    scene.step()
    scene.step()
    again = scene.job(scene.submit("What is the capital of France?").id)
    assert again.status is JobStatus.COMPLETED
    assert again.routing is not None
    assert again.routing.cost_cents == "0"


def test_an_answer_with_a_character_that_cannot_be_stored(scene: Scene) -> None:
    job = scene.park("What is the capital of France?")
    scene.server.answer = lambda _: "Par\x00is."
    scene.form()
    scene.step()
    scene.step()
    answer = scene.job(job).answer
    assert answer is not None
    assert answer.text == "Par\ufffdis."


@only(OpenAIServer)
@pytest.mark.parametrize(
    ("job_class", "seconds"), [(JobClass.BATCH, 3000.0), (JobClass.STANDARD, 6 * HOURS), (JobClass.INTERACTIVE, HOURS)]
)
def test_work_that_cannot_wait_is_not_parked(scene: Scene, job_class: JobClass, seconds: float) -> None:
    job = scene.submit("urgent", job_class=job_class, seconds=seconds)
    (claim,) = scene.runtime.database.run(scene.scope, claims.claim(scene.tenant.id, job.id, 30))
    choice = scene.router._answers.choose(claim.request, claim.policy)
    assert scene.router._lane(claim, choice) is None
    patient = replace(claim, job_class=JobClass.BATCH, seconds_left=6 * HOURS)
    assert scene.router._lane(patient, choice) is not None
    assert scene.router._lane(replace(patient, lane_untried=False), choice) is None


@only(OpenAIServer)
def test_a_thousand_jobs_make_one_batch(scene: Scene) -> None:
    scene.park_many([f"question {number // 2}" for number in range(1000)])
    assert scene.form()["lines"] == 1000
    scene.step()
    scene.step()
    assert scene.server.calls["create"] == 1
    rows = scene.sql("select status, count(*) from jobs where tenant_id = %(t)s group by status")
    assert rows == [{"status": "completed", "count": 1000}]
    assert len(scene.events()) == 1000


@only(OpenAIServer)
def test_a_question_that_is_asked_again_waits_for_the_lane_with_the_first(scene: Scene) -> None:
    first = scene.park("What is the capital of France?")
    second = scene.submit("What is the capital of France?").id
    hurried = scene.submit("What is the capital of France?", job_class=JobClass.INTERACTIVE).id
    assert scene.runtime.database.run(scene.scope, claims.claim(scene.tenant.id, second, 30)) == []
    assert scene.runtime.database.run(scene.scope, claims.claim(scene.tenant.id, hurried, 30)) != []
    assert scene.form()["lines"] == 1
    scene.step()
    scene.step()
    assert (scene.job(first).status, scene.job(second).status) == (JobStatus.COMPLETED, JobStatus.COMPLETED)
    assert (scene.row(second)["served_from"], scene.row(hurried)["stage"]) == (first, "route")


@only(OpenAIServer)
def test_those_who_cannot_wait_for_the_lane_are_led_by_one_of_them(scene: Scene) -> None:
    """Who follows a call that turns out to wait for a lane did not agree to wait."""
    leader = scene.submit("What is the capital of France?").id
    (claim,) = scene.runtime.database.run(scene.scope, claims.claim(scene.tenant.id, leader, 30))
    patient = scene.submit("What is the capital of France?").id
    hurried = [scene.submit("What is the capital of France?", job_class=JobClass.INTERACTIVE).id for _ in range(2)]
    for job in (patient, *hurried):
        assert scene.runtime.database.run(scene.scope, claims.claim(scene.tenant.id, job, 30)) == []
    park(scene.runtime, Parked(claim, scene.models[0], HOURS))
    assert [scene.row(job)["stage"] for job in (patient, *hurried)] == ["follow", "route", "follow"]


def test_a_hedged_job_wins_and_the_late_answer_is_only_booked(scene: Scene) -> None:
    slow, patient = scene.park("What is the capital of France?"), scene.park("And of Italy?")
    scene.form()
    scene.server.ready_after = HOURS
    scene.step()
    line = scene.line_of(slow)
    scene.hedge(slow)
    assert scene.step()["cancelled_at"] is None
    assert (scene.history(slow), scene.row(patient)["stage"]) == (["hedged"], "lane")
    scene.direct(slow)
    assert [line] == [name for name in next(iter(scene.server.batches.values())).lines if name.startswith(slow.hex)]
    scene.server.ready_after = 0
    assert scene.step()["status"] == "ended"
    answer = scene.job(slow).answer
    assert answer is not None
    assert answer.text == "Paris."
    late = [event for event in scene.events() if event["job_id"] == slow]
    assert [(event["outcome"], event["batch"], event["baseline_cost_cents"]) for event in late] == [("ok", True, None)]
    assert scene.job(patient).status is JobStatus.COMPLETED


def test_a_batch_that_nobody_waits_for_is_cancelled(scene: Scene) -> None:
    job = scene.park("What is the capital of France?")
    scene.form()
    scene.server.ready_after = HOURS
    scene.step()
    scene.hedge(job)
    assert scene.step()["status"] == "running"
    assert scene.server.calls["cancel"] == 1
    ended = scene.step()
    assert (ended["status"], ended["cancelled_at"] is None) == ("cancelled", False)
    assert (scene.history(job), scene.events()) == (["hedged"], [])


def test_the_answer_to_a_cancelled_job_is_booked_and_thrown_away(scene: Scene) -> None:
    job, other = scene.park("What is the capital of France?"), scene.park("And of Italy?")
    scene.form()
    scene.step()
    scene.runtime.database.run(scene.scope, jobs.cancel(scene.tenant.id, job))
    scene.step()
    assert (scene.job(job).status, scene.job(job).answer) == (JobStatus.CANCELLED, None)
    assert [event["outcome"] for event in scene.events()] == ["ok", "ok"]
    assert scene.job(other).status is JobStatus.COMPLETED


@only(OpenAIServer)
def test_the_sweeper_rings_for_what_is_due(scene: Scene) -> None:
    sweeper = Sweeper(scene.runtime)
    scene.park("What is the capital of France?")
    scene.runtime.redis.delete("lane")
    sweeper._ring_for_lanes()
    waiting = scene.runtime.redis.lrange("lane", 0, -1)
    assert any(str(scene.tenant.id) in message for message in waiting)
    sweeper._ring_for_lanes()
    assert scene.runtime.redis.lrange("lane", 0, -1) == waiting
