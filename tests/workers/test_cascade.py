"""A cascade in a route worker: the real database, and a server that stands in for a cheap model and a dear one."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from builders import new_job
from conftest import Tenant
from workers.catalogues import catalogue
from workers.provider_server import Server, serving

from aico.core.access import OPERATOR
from aico.core.jobs import CacheMode, Controls, Job, JobStatus
from aico.core.signals import ESCALATED
from aico.core.strategies import StrategyName
from aico.routing.strategies.strategies import Strategies
from aico.store import claims, jobs, ledger, outcomes, tenants
from aico.store.outcomes import Source
from aico.store.scope import Scope
from aico.workers import route, said
from aico.workers.leases import Leases
from aico.workers.queue import CANCELLED_CHANNEL
from aico.workers.router import Router
from aico.workers.runtime import Runtime
from aico.workers.said import Piece

EPOCH, FAR = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
SUM = "Ann has 20 sheep and Ben has 4 times as many. How many sheep do they have together?"
RIGHT, WRONG = "20 * 4 = 80 and 20 + 80 = 100 sheep", "20 * 4 = 90 and 20 + 90 = 110 sheep"
MODELS = catalogue([("cheap", 0.6, 0.1), ("dear", 0.95, 10)], capabilities=["sampling"])
DRAFT_CENTS, BETTER_CENTS = Decimal("0.0015"), Decimal("0.15")  # the server reports 150 tokens for each call


@dataclass
class Scene:
    runtime: Runtime
    tenant: Tenant
    provider: Server
    leases: Leases

    def submit(
        self,
        *,
        mode: CacheMode = CacheMode.OFF,
        streams: bool = False,
        max_tokens: int | None = None,
        **controls: object,
    ) -> Job:
        said_of_it = Controls.model_validate({"strategy": StrategyName.CASCADE, **controls})
        job = new_job(SUM, mode=mode, controls=said_of_it, streams=streams)
        if max_tokens is not None:
            job = replace(job, request={**job.request, "max_tokens": max_tokens})
        scope = Scope.tenant(self.tenant.id)
        self.runtime.database.run(scope, jobs.submit(self.tenant.id, [job]))
        return self.runtime.database.run(scope, jobs.get(self.tenant.id, job.id))[0]

    def work(self, job: Job) -> Job:
        route.route.run(str(self.tenant.id), str(job.id))
        return self.runtime.database.run(Scope.tenant(self.tenant.id), jobs.get(self.tenant.id, job.id))[0]

    @property
    def asked(self) -> list[str]:
        return [body["model"] for body in self.provider.bodies]

    def booked(self, job: Job) -> dict[str, tuple[int, Decimal, Decimal]]:
        """By model: attempts, their cost and the baseline's."""
        scope = Scope.tenant(self.tenant.id)
        self.runtime.database.run(scope, ledger.book([self.tenant.id], [job.id]))
        rows = self.runtime.database.run(scope, ledger.summary(self.tenant.id, grain="day", since=EPOCH, until=FAR))
        return {row.model: (row.attempts, row.cost_cents, row.baseline_cost_cents) for row in rows}


@pytest.fixture
def provider() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def scene(
    runtime: Runtime, provider: Server, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Scene]:
    catalogue = tmp_path / "models.toml"
    catalogue.write_text(MODELS)
    settings = runtime.settings.model_copy(
        update={"local_model_url": provider.url, "retry_base_seconds": 0.01, "catalogue_file": catalogue}
    )
    router, held = Router(settings, Strategies()), Leases(runtime)
    monkeypatch.setattr(route, "get_runtime", lambda: runtime)
    monkeypatch.setattr(route, "router", lambda: router)
    monkeypatch.setattr(route, "leases", lambda: held)
    held.start()
    yield Scene(runtime, tenant, provider, held)
    held.stop()
    router.close()


def test_a_draft_that_passes_saves_the_better_model(scene: Scene) -> None:
    scene.provider.replies = [(200, RIGHT, "stop")]
    job = scene.work(scene.submit())
    assert scene.asked == ["cheap"]
    assert job.answer is not None
    assert job.answer.text == RIGHT
    assert job.routing is not None
    assert (job.routing.model, job.routing.strategy, job.routing.verified) == ("cheap", "cascade", "passed")
    assert Decimal(job.routing.cost_cents or 0) == DRAFT_CENTS


def test_a_draft_that_does_not_pass_speaks_against_its_model_and_one_that_passes_says_nothing(scene: Scene) -> None:
    scene.provider.replies = [(200, WRONG, "stop"), (200, RIGHT, "stop")]
    scene.work(scene.submit())
    scene.work(scene.submit())
    judged = outcomes.summary(scene.tenant.id, since=EPOCH.date())
    found = scene.runtime.database.run(Scope.tenant(scene.tenant.id), judged)
    assert [(row.model, row.task, row.source, row.judged, row.quality) for row in found] == [
        ("cheap", "math", Source.IMPLICIT, 1, ESCALATED)
    ]


def test_a_draft_that_does_not_pass_is_paid_and_the_better_model_answers(scene: Scene) -> None:
    scene.provider.replies = [(200, WRONG, "stop"), (200, RIGHT, "stop")]
    job = scene.work(scene.submit())
    assert scene.asked == ["cheap", "dear"]
    assert job.answer is not None
    assert job.answer.text == RIGHT
    assert job.routing is not None
    assert (job.routing.model, job.routing.verified, job.routing.attempts) == ("dear", "escalated", 2)
    assert any("wrong arithmetic: 80 is said to be 90" in reason for reason in job.routing.reasons)
    assert Decimal(job.routing.cost_cents or 0) == DRAFT_CENTS + BETTER_CENTS
    booked = scene.booked(job)
    assert {model: figures[:2] for model, figures in booked.items()} == {
        "cheap": (1, DRAFT_CENTS),
        "dear": (1, BETTER_CENTS),
    }
    assert booked["cheap"][2] == 0  # the baseline is counted once
    assert booked["dear"][2] > 0


@pytest.mark.parametrize("failure", [(503, "busy", ""), (400, "no", "")])
def test_where_the_better_model_fails_the_draft_is_the_answer(scene: Scene, failure: tuple[int, str, str]) -> None:
    scene.provider.replies = [(200, WRONG, "stop"), failure]
    job = scene.work(scene.submit())
    assert job.status is JobStatus.COMPLETED
    assert job.answer is not None
    assert job.answer.text == WRONG
    assert job.routing is not None
    assert (job.routing.model, job.routing.verified, job.routing.confidence) == ("cheap", "kept", "low")
    assert job.routing.reasons[-1] == "no better model answered, so the draft is the answer"
    booked = scene.booked(job)
    assert booked["cheap"][0] == 1
    assert booked["cheap"][2] > 0
    assert booked["dear"][2] == 0


def test_nothing_is_drafted_where_the_budget_does_not_allow_both_calls(scene: Scene) -> None:
    scope = Scope.tenant(scene.tenant.id)
    (claim,) = scene.runtime.database.run(scope, claims.claim(scene.tenant.id, scene.submit().id, 30))
    cents = route.router()._choose(claim).cents
    both = sum((cents[model] or Decimal(0) for model in ("cheap", "dear")), Decimal(0))
    scene.provider.replies = [(200, WRONG, "stop")]
    job = scene.work(scene.submit(max_cost_cents=both * Decimal("0.999")))
    assert job.routing is not None
    assert job.routing.verified is None
    assert len(scene.asked) == 1


def test_a_draft_that_cost_more_than_was_expected_may_leave_too_little_for_a_second_call(scene: Scene) -> None:
    scope = Scope.tenant(scene.tenant.id)
    (claim,) = scene.runtime.database.run(scope, claims.claim(scene.tenant.id, scene.submit(max_tokens=20).id, 30))
    cents = route.router()._choose(claim).cents
    both = sum((cents[model] or Decimal(0) for model in ("cheap", "dear")), Decimal(0))
    scene.provider.replies = [(200, WRONG, "stop")]  # of which it says that it took 150 tokens
    job = scene.work(scene.submit(max_tokens=20, max_cost_cents=both * Decimal("1.001")))
    assert scene.asked == ["cheap"]
    assert job.routing is not None
    assert job.routing.verified == "kept"
    assert Decimal(job.routing.cost_cents or 0) == DRAFT_CENTS


def streamed(scene: Scene, job: Job, replies: list[tuple[int, str, str]]) -> tuple[Job, list[Piece]]:
    scene.provider.replies = replies
    heard = scene.runtime.redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    heard.subscribe(said.channel(job.id))
    ended = scene.work(job)
    found = []
    for _ in range(2):  # the first look may find the confirmation alone
        while (message := heard.get_message(timeout=0.2)) is not None:
            found.append(Piece.decoded(message["data"]))
    return ended, [piece for piece in found if piece.text]


def test_a_draft_that_passes_is_streamed_in_one_piece(scene: Scene) -> None:
    job, pieces = streamed(scene, scene.submit(streams=True), [(200, RIGHT, "stop")])
    assert [piece.text for piece in pieces] == [RIGHT]
    assert "stream" not in scene.provider.bodies[0] or not scene.provider.bodies[0]["stream"]
    assert job.status is JobStatus.COMPLETED


def test_nothing_of_a_refused_draft_is_streamed_and_the_better_answer_is_live(scene: Scene) -> None:
    job, pieces = streamed(scene, scene.submit(streams=True), [(200, WRONG, "stop"), (200, RIGHT, "stop")])
    assert len(pieces) > 1
    assert "".join(piece.text for piece in pieces) == RIGHT
    assert job.answer is not None
    assert job.answer.text == RIGHT


def test_a_better_answer_that_breaks_off_is_not_followed_by_the_draft(scene: Scene) -> None:
    broken = [(200, WRONG, "stop"), (200, "20 * 4 is", "break")]
    job, pieces = streamed(scene, scene.submit(streams=True), broken)
    assert job.answer is None
    assert WRONG not in "".join(piece.text for piece in pieces)


def test_a_job_that_is_cancelled_between_the_calls_makes_no_second_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.provider.replies = [(200, WRONG, "stop"), (200, RIGHT, "stop")]
    scene.provider.gate.clear()
    job, scope = scene.submit(), Scope.tenant(scene.tenant.id)
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(scene.work, job)
        give_up = time.monotonic() + 10
        while not scene.provider.bodies and time.monotonic() < give_up:
            time.sleep(0.01)
        scene.runtime.database.run(scope, jobs.cancel(scene.tenant.id, job.id))
        while not scene.runtime.redis.publish(CANCELLED_CHANNEL, str(job.id)):
            time.sleep(0.05)  # nobody has subscribed yet
        working.result(timeout=10)
        scene.provider.gate.set()
    assert scene.asked == ["cheap"]
    (ended,) = scene.runtime.database.run(scope, jobs.get(scene.tenant.id, job.id))
    assert ended.status is JobStatus.CANCELLED


def test_the_tenants_strategy_holds_where_the_caller_says_nothing(scene: Scene) -> None:
    scope = Scope.tenant(scene.tenant.id)
    policy = {"strategy": StrategyName.CASCADE, "quality_target": 0.9}
    scene.runtime.database.run(scope, tenants.change(scene.tenant.id, OPERATOR, policy))
    scene.provider.replies = [(200, RIGHT, "stop")]
    by_policy = scene.work(scene.submit(strategy=None)).routing
    by_caller = scene.work(scene.submit(strategy=StrategyName.COMPLEXITY)).routing
    assert by_policy is not None
    assert by_caller is not None
    assert (by_policy.strategy, by_caller.strategy) == ("cascade", "complexity")
    (claim,) = scene.runtime.database.run(scope, claims.claim(scene.tenant.id, scene.submit().id, 30))
    assert claim.policy.quality_target == pytest.approx(0.9)


@pytest.mark.parametrize(("second", "kept"), [((503, "busy", ""), False), ((200, RIGHT, "stop"), True)])
def test_a_draft_that_was_only_kept_is_not_served_again(scene: Scene, second: tuple[int, str, str], kept: bool) -> None:
    scene.provider.replies = [(200, WRONG, "stop"), second]
    scene.work(scene.submit(mode=CacheMode.EXACT))
    assert scene.submit(mode=CacheMode.EXACT).status.final is kept
