"""What breaks on the way through a provider's batch lane: workers, providers, batches and single lines."""

from collections.abc import Iterator

import pytest
from conftest import Postgres, Tenant
from routing.batch_apis import AnthropicServer, GeminiServer, OpenAIServer
from routing.batch_servers import Fault, LineFault, Reply
from workers.laning import SERVERS, Scene, only, playing

from aico.core.jobs import JobStatus
from aico.routing.providers.batches.wire import LaneLine
from aico.store import lanes
from aico.workers import lane
from aico.workers.lane_doors import LaneDoors
from aico.workers.lane_results import line_name
from aico.workers.runtime import Runtime

BUSY = Reply(503, b"")


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


@pytest.mark.parametrize("stored", [False, True])
def test_a_batch_whose_creation_was_not_confirmed_is_found_again(scene: Scene, stored: bool) -> None:
    """The worker dies after the call, or the provider makes the batch and answers nothing of use."""
    job = scene.park("What is the capital of France?")
    batch = scene.form()
    if stored:
        (held,) = scene.runtime.database.run(scene.scope, lanes.claim(scene.tenant.id, batch["id"], 60))
        scene.runtime.database.run(scene.scope, lanes.begin(held))
        model = lane.steps()._models[held.model]
        requests = [
            LaneLine(line_name(line.id, line.fence), line.request)
            for line in scene.runtime.database.run(scene.scope, lanes.lines(held))
        ]
        lane.steps()._doors._operators[scene.provider].create(held.key, model, requests)
        scene.crash()
    else:
        scene.server.faults.append(Fault("POST /batches", BUSY))
        scene.server.faults.append(Fault("POST /messages/batches", BUSY))
        scene.server.faults.append(Fault("batchGenerateContent", BUSY))
        failed = scene.step()
        assert (failed["status"], failed["unsure"]) == ("creating", True)
        assert failed["error"]
    scene.step()
    findable = scene.provider != "anthropic"
    assert len(scene.server.batches) == (1 if findable or not stored else 2)
    lost = [event for event in scene.events() if event["outcome"] == "lost"]
    assert [(event["job_id"], event["cost_cents"]) for event in lost] == ([] if findable else [(job, None)])
    assert scene.step()["status"] == "ended"
    assert scene.job(job).status is JobStatus.COMPLETED


@only(AnthropicServer)
def test_a_provider_that_loses_every_batch_is_given_up(scene: Scene) -> None:
    job = scene.park("What is the capital of France?")
    scene.form()
    for _ in range(3):
        scene.server.faults.append(Fault("POST /messages/batches", BUSY))
        assert scene.step()["status"] == "creating"
    assert scene.step()["status"] == "failed"
    assert scene.history(job) == ["lane_failed"]
    assert len([event for event in scene.events() if event["outcome"] == "lost"]) == 3


def test_a_refused_batch_is_called_directly(scene: Scene) -> None:
    job = scene.park("What is the capital of France?")
    scene.form()
    for path in ("POST /files", "POST /messages/batches", "batchGenerateContent"):
        scene.server.faults.append(Fault(path, Reply(401, b"{}")))
    assert scene.step()["status"] == "failed"
    assert (scene.job(job).status, scene.history(job)) == (JobStatus.QUEUED, ["lane_failed"])
    scene.direct(job)
    assert scene.job(job).status is JobStatus.COMPLETED


@pytest.mark.parametrize("fault", ["refused", "overloaded", "missing", "garbled"])
def test_a_line_without_an_answer_is_called_directly(scene: Scene, fault: LineFault) -> None:
    unlucky, lucky = scene.park("What is the capital of France?"), scene.park("And of Italy?")
    scene.server.line_faults[scene.line_of(unlucky)] = fault
    scene.form()
    scene.step()
    assert scene.step()["status"] == "ended"
    assert scene.job(lucky).status is JobStatus.COMPLETED
    assert (scene.job(unlucky).status, scene.history(unlucky)) == (JobStatus.QUEUED, ["lane_failed"])
    scene.direct(unlucky)


def test_lines_that_expired_are_called_directly(scene: Scene) -> None:
    job = scene.park("What is the capital of France?")
    scene.server.ends_as = "expired"
    scene.server.line_faults[scene.line_of(job)] = "expired"
    scene.form()
    scene.step()
    scene.step()
    assert scene.batch()["ended_at"] is not None
    assert scene.history(job) == ["lane_failed"]
    scene.direct(job)


@only(OpenAIServer, GeminiServer)
def test_the_jobs_of_a_batch_that_failed_as_a_whole_are_called_directly(scene: Scene) -> None:
    job = scene.park("What is the capital of France?")
    scene.server.ends_as = "failed"
    scene.form()
    scene.step()
    failed = scene.step()
    assert failed["status"] == "failed"
    (entry,) = scene.job(job).history
    assert (entry.reason, entry.message) == ("lane_failed", failed["error"])
    assert scene.events() == []
    scene.direct(job)


def test_every_step_may_be_taken_twice(scene: Scene) -> None:
    scene.park("What is the capital of France?")
    scene.form()
    scene.step()
    scene.step()
    before = scene.events()
    scene.sql("update provider_batches set ended_at = null, status = 'running' where tenant_id = %(t)s")
    assert scene.step()["status"] == "ended"
    assert scene.events() == before


@only(OpenAIServer)
def test_two_workers_at_one_batch(scene: Scene) -> None:
    job = scene.park("What is the capital of France?")
    batch = scene.form()
    claim = lanes.claim(scene.tenant.id, batch["id"], 60)
    (slow,) = scene.runtime.database.run(scene.scope, claim)
    assert scene.runtime.database.run(scene.scope, claim) == []
    scene.step()
    assert scene.server.calls["create"] == 0
    scene.crash()
    assert scene.step()["status"] == "running"
    lane.steps().step(slow)
    assert scene.server.calls["create"] == 1
    assert scene.runtime.database.run(scene.scope, lanes.started(slow, "another")) == []
    scene.step()
    assert scene.job(job).status is JobStatus.COMPLETED


@only(OpenAIServer)
def test_results_that_break_off_are_read_again(scene: Scene) -> None:
    job = scene.park("What is the capital of France?")
    scene.form()
    scene.step()
    scene.server.faults.append(Fault("/content", BUSY))
    postponed = scene.step()
    assert (postponed["status"], postponed["lease_until"]) == ("running", None)
    assert scene.step()["status"] == "ended"
    assert scene.job(job).status is JobStatus.COMPLETED


@only(OpenAIServer)
def test_a_lane_that_is_closed_gives_its_jobs_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    attached = scene.park("What is the capital of France?")
    scene.form()
    parked = scene.park("And of Italy?")
    monkeypatch.setattr(lane.steps(), "_doors", LaneDoors({}))
    assert scene.form()["status"] == "creating"
    assert scene.step()["status"] == "failed"
    assert scene.history(attached) == scene.history(parked) == ["lane_failed"]
