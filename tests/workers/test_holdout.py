"""Who may be held out, and that what is held out is answered as if we were not there."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from builders import new_job
from conftest import Postgres, Tenant
from pydantic import SecretStr
from workers.provider_server import Server, serving

from aico.core.assignment import HELD_OUT, ROUTED, Assigned, Programme, Treatment
from aico.core.chat import ChatRequest, Message, Role
from aico.core.jobs import CacheMode, CacheState, Controls, Job, JobClass, JobStatus
from aico.core.settings import Settings
from aico.core.submission import Submission
from aico.routing.catalogue import Catalogue
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store import jobs, ledger
from aico.store.scope import Scope
from aico.workers import route
from aico.workers.admission import Admission, Asker
from aico.workers.leases import Leases
from aico.workers.router import Router
from aico.workers.runtime import Runtime

BASELINE, CHEAP, LOCAL = "gpt-5.4", "gpt-5.4-nano", "smollm2-135m"
HALF = Asker(programme=Programme(salt="s", holdout_share=0.5))


def admission(**settings: Any) -> Admission:
    made = Settings.model_construct(openai_api_key=SecretStr("k"), baseline_model=BASELINE, **settings)
    return Admission(Catalogue.from_settings(made), made)


def asked(text: str = "Why?", **chat: Any) -> Submission:
    return Submission(chat=ChatRequest(messages=(Message(role=Role.USER, content=text),), **chat))


def drawn(submission: Submission, asker: Asker = HALF) -> set[str]:
    """The arms of many jobs of that kind."""
    door = admission(holdout_share=0.0)
    return {arm for _ in range(64) for arm in door.admit(submission, asker).assigned.arms}


def test_jobs_that_are_routed_or_may_be_served_again_are_held_out_by_chance() -> None:
    assert drawn(asked()) == {HELD_OUT, ROUTED}
    assert drawn(asked(model=CHEAP)) == {HELD_OUT, ROUTED}


def test_jobs_that_we_do_not_change_or_cannot_hold_out_are_in_no_arm() -> None:
    for submission in (
        replace(asked(), job_class=JobClass.BATCH),
        replace(asked(), controls=Controls(max_cost_cents=Decimal(5))),
        replace(asked(model=CHEAP), cache=CacheMode.OFF),
        replace(asked(), controls=Controls(baseline_model="claude-haiku-4-5")),  # whose provider is off here
        replace(asked(), controls=Controls(quality_floor=0.9)),  # above the baseline's rank
    ):
        assert drawn(submission) == set()
    assert drawn(asked(), replace(HALF, models=frozenset({CHEAP}))) == set()


def test_a_baseline_that_cannot_do_what_is_asked_is_no_baseline() -> None:
    weak = replace(HALF, programme=HALF.programme.model_copy(update={"baseline_model": "gpt-6-luna"}))
    assert drawn(asked(), weak) == {HELD_OUT, ROUTED}
    assert drawn(asked(logprobs=True), weak) == set()


def test_a_tenant_without_a_share_of_its_own_has_the_services() -> None:
    asker, submission = Asker(programme=Programme(salt="s")), asked()
    for share, arms in ((0.5, {HELD_OUT, ROUTED}), (0.0, set())):
        door = admission(holdout_share=share)
        assert {arm for _ in range(64) for arm in door.admit(submission, asker).assigned.arms} == arms
    none = Asker(programme=Programme(salt="s", holdout_share=0.0))
    assert admission(holdout_share=0.5).admit(submission, none).assigned == Assigned()


def test_what_is_held_out_asks_no_cache() -> None:
    door = admission(holdout_share=0.5)
    jobs_of_both = [door.admit(asked(), Asker(programme=Programme(salt="s"))) for _ in range(64)]
    assert {job.cache_mode for job in jobs_of_both if job.assigned.direct} == {CacheMode.OFF}
    assert {job.cache_mode for job in jobs_of_both if not job.assigned.direct} == {CacheMode.SEMANTIC}


@pytest.fixture
def provider() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def routed(runtime: Runtime, provider: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    settings = runtime.settings.model_copy(
        update={
            "local_model_url": provider.url,
            "openai_compatible_url": provider.url,
            "openai_compatible_models": ("strong",),
        }
    )
    router, held = Router(settings, ComplexityStrategy()), Leases(runtime)
    monkeypatch.setattr(route, "get_runtime", lambda: runtime)
    monkeypatch.setattr(route, "router", lambda: router)
    monkeypatch.setattr(route, "leases", lambda: held)
    held.start()
    yield runtime
    held.stop()
    router.close()


def answered(runtime: Runtime, tenant: Tenant, assigned: Assigned) -> Job:
    job = replace(new_job("Why?", mode=assigned.treatment.cache or CacheMode.EXACT), assigned=assigned)
    scope = Scope.tenant(tenant.id)
    runtime.database.run(scope, jobs.submit(tenant.id, [job]))
    route.route.run(str(tenant.id), str(job.id))
    runtime.database.run(scope, ledger.book([tenant.id], [job.id]))
    return runtime.database.run(scope, jobs.get(tenant.id, job.id))[0]


def test_the_baseline_answers_what_is_held_out_and_both_arms_are_kept_account_of(
    routed: Runtime, tenant: Tenant, postgres: Postgres
) -> None:
    held_out = Assigned(arms=(HELD_OUT,), treatment=Treatment(model=LOCAL, cache=CacheMode.OFF), direct=True)
    by_baseline = answered(routed, tenant, held_out)
    by_routing = answered(routed, tenant, Assigned(arms=(ROUTED,)))
    again = answered(routed, tenant, Assigned(arms=(ROUTED,)))  # from the cache
    assert [job.status for job in (by_baseline, by_routing, again)] == [JobStatus.COMPLETED] * 3
    reports = [job.routing for job in (by_baseline, by_routing, again) if job.routing is not None]
    assert [(one.model, one.cache, one.arms) for one in reports] == [
        (LOCAL, CacheState.BYPASS, (HELD_OUT,)),
        ("strong", CacheState.MISS, (ROUTED,)),
        ("strong", CacheState.EXACT, (ROUTED,)),
    ]
    with psycopg.connect(postgres.admin_url) as admin:
        figures = admin.execute(
            "select arm, answered, cents > 0 from public.arm_rollups where tenant_id = %s order by arm", (tenant.id,)
        ).fetchall()
    assert figures == [(HELD_OUT, 1, True), (ROUTED, 2, False)]  # nobody knows what `strong` costs
