"""A key that is limited to models: no worker lets another model answer for it, whenever the limit came."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from builders import ending_of, new_job, passed, unit_vector
from conftest import Postgres, Tenant
from pydantic import SecretStr
from workers.batching import Scene, line, scene

from aico.core.chat import ChatRequest, Message, Role
from aico.core.errors import ModelNotAllowed
from aico.core.jobs import CacheMode, CacheState, JobStatus
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store import api_keys, claims, dead_letters, embeddings, jobs
from aico.store.dead_letters import Filter
from aico.store.job_policy import JobPolicy
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.workers import embed, route
from aico.workers.answers import Answers
from aico.workers.leases import Leases
from aico.workers.router import Router
from aico.workers.runtime import Runtime

__all__ = ["scene"]

LOCAL, OTHER = "smollm2-135m", "gpt-5.4"
FREE = JobPolicy(baseline_model=None, fallback=True, quality_floor=None, max_cost_cents=None)

Limit = Callable[[Tenant, list[str] | None], None]


@pytest.fixture
def limit(runtime: Runtime) -> Limit:
    """Limits the tenant's key to these models from now on."""

    def to(tenant: Tenant, models: list[str] | None) -> None:
        change = api_keys.change(tenant.id, tenant.key_id, "operator", {"models": models})
        assert runtime.database.run(Scope.tenant(tenant.id), change)

    return to


def submitted(runtime: Runtime, tenant: Tenant, job: NewJob) -> NewJob:
    own = replace(job, api_key_id=tenant.key_id)
    runtime.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [own]))
    return own


def routed(runtime: Runtime, tenant: Tenant, job: NewJob) -> JobStatus:
    """What the route worker makes of it; nobody answers at the providers' addresses."""
    (claim,) = runtime.database.run(Scope.tenant(tenant.id), claims.claim(tenant.id, job.id, 30))
    held = Leases(runtime)
    router = Router(runtime.settings, ComplexityStrategy())
    try:
        route.settle(runtime, claim, router, held)
    finally:
        router.close()
    return runtime.database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job.id))[0].status


def asked(model: str) -> ChatRequest:
    return ChatRequest(messages=(Message(role=Role.USER, content="Why is the sky blue?"),), model=model)


@pytest.mark.parametrize("model", ["auto", "auto:cheap", "auto:quality", "gpt-5.4-mini"])
def test_first_choice_and_fallbacks_are_among_the_allowed(model: str) -> None:
    settings = Settings.model_construct(openai_api_key=SecretStr("k"), anthropic_api_key=SecretStr("k"))
    catalogue = Catalogue.from_settings(settings)
    answers = Answers(settings, ComplexityStrategy(), catalogue)
    allowed = frozenset({"gpt-5.4-mini", "claude-haiku-4.5", OTHER}) & frozenset(catalogue.known)
    free = {one.id for one in answers.choose(asked(model), FREE).decision.candidates}
    limited = {one.id for one in answers.choose(asked(model), replace(FREE, models=allowed)).decision.candidates}
    assert limited == free & allowed
    assert free - allowed


def test_a_named_model_outside_the_list_and_an_empty_rest_are_refused() -> None:
    settings = Settings.model_construct(openai_api_key=SecretStr("k"))
    answers = Answers(settings, ComplexityStrategy(), Catalogue.from_settings(settings))
    for model, allowed in ((OTHER, {LOCAL}), ("auto", {LOCAL})):
        with pytest.raises(ModelNotAllowed, match=LOCAL):
            answers.choose(asked(model), replace(FREE, models=frozenset(allowed)))


def test_a_limit_that_came_after_the_job_is_kept_to(runtime: Runtime, tenant: Tenant, limit: Limit) -> None:
    job = submitted(runtime, tenant, new_job("too late", mode=CacheMode.OFF))
    limit(tenant, [OTHER])  # whose provider is off here
    assert routed(runtime, tenant, job) is JobStatus.FAILED
    (failed,) = runtime.database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job.id))
    assert failed.error is not None
    assert failed.error.code == "model_not_allowed"


def test_a_retry_and_a_replay_keep_to_the_limit_of_the_key_that_asks(
    runtime: Runtime, tenant: Tenant, limit: Limit
) -> None:
    scope = Scope.tenant(tenant.id)
    job = submitted(runtime, tenant, new_job("again", mode=CacheMode.OFF))
    (first,) = runtime.database.run(scope, claims.claim(tenant.id, job.id, 30))
    assert first.policy.models is None
    runtime.database.run(scope, claims.put_back(claims.PutBack(first, "no_answer", "nobody")))
    limit(tenant, [OTHER])
    assert routed(runtime, tenant, job) is JobStatus.FAILED
    limit(tenant, [LOCAL])
    chosen = new_job("x").id
    runtime.database.run(scope, dead_letters.replay(tenant.id, Filter(ids=[job.id]), [chosen], tenant.key_id))
    (ready,) = runtime.database.run(scope, jobs.get(tenant.id, chosen))
    assert ready.replay_of == job.id
    from_key = "update public.jobs set bell_at = now() where tenant_id = %(tenant)s and id = %(id)s returning id"
    admit = Statement(from_key, {"tenant": tenant.id, "id": chosen}, lambda row: row["id"])
    runtime.database.run(scope, admit)
    (again,) = runtime.database.run(scope, claims.claim(tenant.id, chosen, 30))
    assert again.policy.models == frozenset({LOCAL})


def test_a_line_of_a_batch_that_names_another_model_is_a_fault_of_that_line(
    scene: Scene, tenant: Tenant, limit: Limit
) -> None:
    limit(tenant, [LOCAL])
    batch = scene.batch([line("good", model=LOCAL), line("bad", model="auto"), line("ugly", model=OTHER)])
    scene.admin.execute("update public.batches set api_key_id = %s where id = %s", (tenant.key_id, batch))
    while scene.step(batch).status.value != "in_progress" or not scene.jobs(batch):
        pass
    assert [job.custom_id for job in scene.jobs(batch)] == ["good", "bad"]
    for job in scene.jobs(batch):
        scene.answer(job)
    ended = scene.finish(batch)
    (refused,) = scene.content(ended.error_file_id)
    assert refused["custom_id"] == "ugly"


def test_what_another_model_answered_is_not_served_again(
    runtime: Runtime, tenant: Tenant, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is replayed keeps the namespace in which another key's answers are."""
    monkeypatch.setattr(embed, "get_runtime", lambda: runtime)
    monkeypatch.setattr(embed, "vectors_of", lambda texts: [unit_vector(1) for _ in texts])
    monkeypatch.setattr(embed, "embedder", lambda: _Variant)
    scope = Scope.tenant(tenant.id)
    first = new_job("what is it")
    runtime.database.run(scope, jobs.submit(tenant.id, [first]))
    found = runtime.database.run(scope, embeddings.to_embed(tenant.id, [first.id], 0.95))
    runtime.database.run(
        scope, embeddings.advance(tenant.id, passed(found, np.stack([unit_vector(1)])), _Variant.fingerprint)
    )
    (held,) = runtime.database.run(scope, claims.claim(tenant.id, first.id, 30))
    assert runtime.database.run(scope, claims.finish(tenant.id, [ending_of(held)], 3600))  # by the local model
    served = []
    for models in ([OTHER], [LOCAL], None):
        limit(tenant, models)
        job = submitted(runtime, tenant, new_job("what is it then"))
        embed.embed.run([(str(tenant.id), str(job.id))])
        (seen,) = runtime.database.run(scope, jobs.get(tenant.id, job.id))
        served.append(seen.routing is not None and seen.routing.cache is CacheState.SEMANTIC)
    assert served == [False, True, True]


class _Variant:
    fingerprint = "variant of this test"


def test_the_postgres_side_refuses_an_empty_list(postgres: Postgres, runtime: Runtime, tenant: Tenant) -> None:
    with pytest.raises(Exception, match="api_keys_models_check"):
        runtime.database.run(
            Scope.tenant(tenant.id), api_keys.change(tenant.id, tenant.key_id, "operator", {"models": []})
        )
