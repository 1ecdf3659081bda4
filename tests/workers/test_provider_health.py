"""Jobs and failing providers: real route workers on one Redis and one Postgres, and a provider that does as told."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from builders import new_job
from conftest import Tenant
from pydantic import SecretStr
from workers.provider_server import Server, serving

from aico.core.jobs import CacheMode, Job, JobStatus
from aico.routing.breaker import RULES, Kind, Mark, Scope, scopes_of
from aico.routing.catalogue import Catalogue
from aico.routing.models import Capability
from aico.routing.providers.credential import operator_keys
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store import jobs
from aico.store.scope import Scope as DatabaseScope
from aico.workers import route
from aico.workers.breaker_scripts import key_of
from aico.workers.breakers import RedisBreaker
from aico.workers.leases import Leases
from aico.workers.pacing import RedisPacer
from aico.workers.router import Router, Shared
from aico.workers.runtime import Runtime
from aico.workers.sightings import RedisSightings

FIRST, SECOND = "house.credential/first", "house.credential/second"
BUSY = (503, "overloaded", "")
MODEL = "gpt-5.4-nano"


class Scene:
    """Two workers, each with its own router; they know together what Redis knows."""

    def __init__(self, runtime: Runtime, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runtime = runtime
        self.server = server
        self._monkeypatch = monkeypatch
        self.routers: list[Router] = []

    def open(self, **changes: Any) -> None:
        settings = self.runtime.settings.model_copy(
            update={
                "local_model_url": None,
                "openai_api_key": SecretStr(FIRST),
                "openai_gateway_url": self.server.url,
                "retry_base_seconds": 0.0,
                **changes,
            }
        )
        self.settings = settings
        self.accounts = [key.id for key in operator_keys(settings)["openai"]]
        for _ in range(2):
            pacer = RedisPacer(self.runtime.redis, (), heeds_all=True)
            breaker, sightings = RedisBreaker(self.runtime.redis), RedisSightings(self.runtime.redis)
            router = Router(settings, ComplexityStrategy(), Shared(pacer, breaker, sightings))
            self.routers.append(router)

    def run(
        self, tenant: Tenant, prompt: str = "What is the capital of France?", *, by: int = 0, model: str = MODEL
    ) -> Job:
        self._monkeypatch.setattr(route, "router", lambda: self.routers[by])
        job = new_job(prompt, mode=CacheMode.OFF)
        job.request["model"] = model
        scope = DatabaseScope.tenant(tenant.id)
        self.runtime.database.run(scope, jobs.submit(tenant.id, [job]))
        route.route.run(str(tenant.id), str(job.id))
        (found,) = self.runtime.database.run(scope, jobs.get(tenant.id, job.id))
        return found

    def break_model(self, tenant: Tenant) -> None:
        self.server.replies = [BUSY]
        for by in (0, 1):
            assert self.run(tenant, by=by).history[-1].reason == "no_answer"

    def pass_the_cooldown(self) -> None:
        key = key_of(Scope(Kind.MODEL, "openai", self.accounts[0], MODEL))
        assert self.runtime.redis.hget(key, "until") is not None
        self.runtime.redis.hset(key, "until", "1")


@pytest.fixture
def scene(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    held = Leases(runtime)
    held.start()
    monkeypatch.setattr(route, "get_runtime", lambda: runtime)
    monkeypatch.setattr(route, "leases", lambda: held)
    with serving() as server:
        made = Scene(runtime, server, monkeypatch)
        yield made
        held.stop()
        for router in made.routers:
            router.close()


def test_what_fails_for_one_worker_is_left_alone_by_the_other_and_the_job_waits(
    scene: Scene, make_tenant: Callable[[], Tenant]
) -> None:
    scene.open()
    scene.break_model(make_tenant())
    asked = scene.server.asked
    for by in (0, 1):
        job = scene.run(make_tenant(), by=by)  # whoever's job it is
        assert (job.status, job.history[-1].reason) == (JobStatus.QUEUED, "provider_unwell")
        assert "gpt-5.4-nano is passed over: it keeps failing (HTTP 503)" in (job.history[-1].message or "")
    assert scene.server.asked == asked


def test_one_job_of_all_workers_finds_out_and_then_everybody_is_served(
    scene: Scene, make_tenant: Callable[[], Tenant]
) -> None:
    scene.open()
    tenant = make_tenant()
    scene.break_model(tenant)
    scene.pass_the_cooldown()
    asked = scene.server.asked
    scene.run(tenant, by=1)
    assert scene.server.asked == asked + 1  # it failed, and was not repeated
    assert scene.run(tenant, by=0).history[-1].reason == "provider_unwell"
    scene.pass_the_cooldown()
    scene.server.replies = [(200, "Paris.", "stop")]
    for by in (0, 1):
        assert scene.run(tenant, by=by).status is JobStatus.COMPLETED


def test_an_answer_says_who_was_passed_over(scene: Scene, tenant: Tenant) -> None:
    scene.open()
    breaker = RedisBreaker(scene.runtime.redis)
    for _ in range(RULES[Kind.MODEL].run):
        entry = breaker.enter(scopes_of("openai", MODEL, scene.accounts[0]), 65.0)
        breaker.leave(entry, {**dict.fromkeys(Kind, Mark.NOTHING), Kind.MODEL: Mark.BAD}, "HTTP 503")
    job = scene.run(tenant, model=MODEL)
    assert job.status is JobStatus.COMPLETED
    assert job.routing is not None
    assert job.routing.model != MODEL
    assert f"{MODEL} is passed over: it keeps failing (HTTP 503)" in job.routing.reasons[-1]
    assert job.routing.attempts == scene.server.asked == 1  # what was not asked is no attempt


def test_a_refused_key_leaves_its_calls_to_the_other_and_is_left_alone(scene: Scene, tenant: Tenant) -> None:
    scene.open(openai_api_keys=SecretStr(SECOND))
    scene.server.refused = {FIRST}
    for number in range(8):
        assert scene.run(tenant, by=number % 2).status is JobStatus.COMPLETED
    assert scene.server.keys.count(SECOND) == 8
    assert scene.server.keys.count(FIRST) <= 1


def test_a_key_of_which_nothing_is_left_waits_for_its_reset_in_all_workers(scene: Scene, tenant: Tenant) -> None:
    scene.open()
    scene.server.headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0s"}
    assert scene.run(tenant, by=0).status is JobStatus.COMPLETED
    models = len([model for model in Catalogue.from_settings(scene.settings).models if model.can(Capability.TOOLS)])
    while (job := scene.run(tenant, by=scene.server.asked % 2)).status is JobStatus.COMPLETED:
        assert scene.server.asked <= models  # each is granted its own rate
    assert job.history[-1].reason == "rate_limited"
    asked = [body["model"] for body in scene.server.bodies]
    assert len(set(asked)) == len(asked)


def test_openai_is_told_what_prompts_begin_alike(scene: Scene, make_tenant: Callable[[], Tenant]) -> None:
    scene.open()
    long = "Here is the handbook of the house. " * 200
    first, other = make_tenant(), make_tenant()
    for tenant in (first, first, other):
        scene.run(tenant, long)
    keys = [body["prompt_cache_key"] for body in scene.server.bodies]
    assert keys[0] == keys[1] != keys[2]
    scene.run(first, "short")
    assert "prompt_cache_key" not in scene.server.bodies[-1]


def test_hints_can_be_switched_off(scene: Scene, tenant: Tenant) -> None:
    scene.open(prompt_cache_hints=False)
    scene.run(tenant, "Here is the handbook of the house. " * 200)
    assert "prompt_cache_key" not in scene.server.bodies[-1]
