"""What a route worker tells while it receives an answer, and what controls make it do."""

import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from builders import new_job
from conftest import Tenant
from workers.provider_server import Server, serving

from aico.core.jobs import CacheMode, Controls, Job, JobStatus
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store import backlog, jobs
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.workers import route, said
from aico.workers.leases import Leases
from aico.workers.router import Router
from aico.workers.runtime import Runtime
from aico.workers.said import Piece


@pytest.fixture
def provider() -> Iterator[Server]:
    with serving() as state:
        yield state


class Scene:
    """A tenant's jobs, and a route worker that takes them on."""

    def __init__(self, runtime: Runtime, provider: Server, tenant: Tenant) -> None:
        settings = runtime.settings.model_copy(update={"local_model_url": provider.url, "retry_base_seconds": 0.01})
        self.runtime = runtime
        self.tenant = tenant
        self.router = Router(settings, ComplexityStrategy())
        self.leases = Leases(runtime)
        self.heard = runtime.redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]

    def submit(self, job: NewJob) -> NewJob:
        self.runtime.database.run(Scope.tenant(self.tenant.id), jobs.submit(self.tenant.id, [job]))
        self.heard.subscribe(said.channel(job.id))
        return job

    def work(self, job: NewJob) -> Job:
        route.route.run(str(self.tenant.id), str(job.id))
        return self.runtime.database.run(Scope.tenant(self.tenant.id), jobs.get(self.tenant.id, job.id))[0]

    def pieces(self) -> list[Piece]:
        found = []
        for _ in range(2):  # the first look may find the confirmation alone
            while (message := self.heard.get_message(timeout=0.2)) is not None:
                found.append(Piece.decoded(message["data"]))
        return found


@pytest.fixture
def scene(runtime: Runtime, provider: Server, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    made = Scene(runtime, provider, tenant)
    monkeypatch.setattr(route, "get_runtime", lambda: made.runtime)
    monkeypatch.setattr(route, "router", lambda: made.router)
    monkeypatch.setattr(route, "leases", lambda: made.leases)
    made.leases.start()
    yield made
    made.leases.stop()
    made.router.close()
    made.heard.close()


def streamed(prompt: str, controls: Controls | None = None) -> NewJob:
    return new_job(prompt, mode=CacheMode.OFF, streams=True, controls=controls or Controls())


def test_an_answer_is_published_while_it_is_received(scene: Scene, provider: Server) -> None:
    provider.replies = [(200, "The capital is Paris.", "stop")]
    job = scene.submit(streamed("capital?"))
    ended = scene.work(job)
    assert ended.answer is not None
    assert ended.answer.text == "The capital is Paris."
    begun, *pieces = scene.pieces()
    assert begun == Piece(0, 0, "")
    assert len(pieces) > 1
    assert "".join(piece.text for piece in pieces) == "The capital is Paris."
    assert [piece.start for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
    key = said.key(job.id, 0)
    assert scene.runtime.redis.get(key) == "The capital is Paris."
    assert 0 < int(scene.runtime.redis.ttl(key)) <= said.KEPT_SECONDS


def test_who_asks_for_no_stream_costs_none(scene: Scene, provider: Server) -> None:
    job = scene.submit(new_job("capital?", mode=CacheMode.OFF))
    scene.work(job)
    assert scene.pieces() == []
    assert "stream" not in provider.bodies[0]


def test_a_stream_that_breaks_off_is_begun_anew_by_the_next_claim(scene: Scene, provider: Server) -> None:
    provider.replies = [(200, "The capital", "break"), (200, "Paris it is.", "stop")]
    job = scene.submit(streamed("capital?"))
    assert scene.work(job).status is JobStatus.QUEUED
    _wait_until_due(scene, job)
    ended = scene.work(job)
    assert ended.answer is not None
    assert ended.answer.text == "Paris it is."
    by_generation: dict[int, str] = {}
    for piece in scene.pieces():
        by_generation[piece.generation] = by_generation.get(piece.generation, "") + piece.text
    assert by_generation == {0: "The capital", 1: "Paris it is."}
    assert ended.fence - 1 == 1


def test_without_redis_the_answer_comes_all_the_same(
    scene: Scene, provider: Server, deaf_runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.replies = [(200, "The capital is Paris.", "stop")]
    job = scene.submit(streamed("capital?"))
    monkeypatch.setattr(scene, "runtime", replace(deaf_runtime, database=scene.runtime.database))
    ended = scene.work(job)
    assert ended.answer is not None
    assert ended.answer.text == "The capital is Paris."


def test_a_request_that_the_provider_refuses_is_the_callers_fault(scene: Scene, provider: Server) -> None:
    provider.replies = [(400, "tools[0].parameters is no schema", "")]
    ended = scene.work(scene.submit(new_job("x", mode=CacheMode.OFF)))
    assert ended.error is not None
    assert ended.error.code == "request_refused"
    assert "no schema" in ended.error.message


def test_a_job_whose_budget_no_model_keeps_fails_without_a_call(scene: Scene, provider: Server) -> None:
    controls = Controls(max_cost_cents=Decimal("0.000001"))
    ended = scene.work(scene.submit(new_job("x" * 4000, mode=CacheMode.OFF, controls=controls)))
    assert ended.status is JobStatus.FAILED
    assert ended.error is not None
    assert ended.error.code == "budget_exceeded"
    assert provider.asked == 0


def test_the_baseline_of_the_caller_is_what_the_saving_is_measured_against(scene: Scene) -> None:
    controls = Controls(baseline_model="gpt-5.4-nano")
    ended = scene.work(scene.submit(new_job("x", mode=CacheMode.OFF, controls=controls)))
    assert ended.routing is not None
    assert ended.routing.baseline_model == "gpt-5.4-nano"


def test_a_piece_survives_its_way_whatever_it_says() -> None:
    for text in ("a:b:c", "", "\n\n", "é😀"):
        assert Piece.decoded(Piece(3, 7, text).encoded()) == Piece(3, 7, text)
    with pytest.raises(ValueError, match="invalid literal"):
        Piece.decoded("x:y:z")


def _wait_until_due(scene: Scene, job: NewJob) -> None:
    """As the feeder sees it."""
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        due = scene.runtime.database.run(Scope.system(), backlog.due(limit=100))
        if job.id in {ready.id for ready in due}:
            return
        time.sleep(0.05)
    pytest.fail("the job did not become due")
