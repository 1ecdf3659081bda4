"""What callers say beside the question, and what their tenant's policy says where they do not."""

from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from api.conftest import Workers, serving
from conftest import Tenant

from aico.core.access import OPERATOR
from aico.core.jobs import CacheMode
from aico.core.settings import Settings
from aico.core.strategies import StrategyName
from aico.store import claims, tenants
from aico.store.blocking import Database
from aico.store.claims import Claim
from aico.store.scope import Scope

QUESTION = {"prompt": "What is the capital of France?"}


@pytest.fixture
def answered(api: httpx2.Client, workers: Workers, tenant: Tenant) -> UUID:
    """A question whose answer is kept."""
    job = UUID(api.post("/v1/jobs", json=QUESTION).json()["id"])
    workers.end(tenant.id, job)
    return job


@pytest.fixture
def patient_policy(database: Database, tenant: Tenant) -> None:
    """Nothing is served again, a named model answers or nobody does, and savings are measured against another one."""
    policy = {"fallback": False, "cache_mode": CacheMode.OFF, "baseline_model": "gpt-5.4-nano"}
    database.run(Scope.tenant(tenant.id), tenants.change(tenant.id, OPERATOR, policy))


def ask(api: httpx2.Client, **fields: Any) -> dict[str, Any]:
    view: dict[str, Any] = api.post("/v1/jobs", json={**QUESTION, **fields}).raise_for_status().json()
    return view


def claimed(database: Database, tenant: Tenant, job: str) -> Claim:
    (held,) = database.run(Scope.tenant(tenant.id), claims.claim(tenant.id, UUID(job), 30))
    return held


def age(admin: psycopg.Connection[Any], tenant: Tenant, seconds: int) -> None:
    older = "update public.cache_entries set created_at = created_at - make_interval(secs => %s) where tenant_id = %s"
    admin.execute(older, (seconds, tenant.id))


def test_an_answer_that_is_too_old_is_not_served_again(
    api: httpx2.Client, answered: UUID, admin: psycopg.Connection[Any], tenant: Tenant
) -> None:
    age(admin, tenant, 3600)
    assert ask(api)["status"] == "completed"
    assert ask(api, max_staleness=7200)["status"] == "completed"
    assert ask(api, max_staleness=1800)["status"] == "queued"
    assert ask(api, max_staleness=0)["status"] == "queued"


def test_an_answer_of_a_weaker_model_is_not_served_where_a_better_one_was_asked_for(
    api: httpx2.Client, answered: UUID
) -> None:
    assert ask(api, quality_floor=0.01)["status"] == "queued"
    assert ask(api)["status"] == "completed"


def test_the_tenants_cache_mode_holds_where_the_caller_says_nothing(
    api: httpx2.Client, answered: UUID, patient_policy: None
) -> None:
    assert ask(api)["status"] == "queued"
    assert ask(api, cache="exact")["status"] == "completed"


def test_the_tenants_policy_reaches_the_worker_and_the_caller_overrules_it(
    api: httpx2.Client, database: Database, tenant: Tenant, patient_policy: None
) -> None:
    held = claimed(database, tenant, ask(api)["id"])
    assert (held.policy.fallback, held.policy.baseline_model) == (False, "gpt-5.4-nano")
    other = claimed(database, tenant, ask(api, fallback=True, baseline_model="gpt-5.4", max_cost_cents="1.5")["id"])
    assert (other.policy.fallback, other.policy.baseline_model) == (True, "gpt-5.4")
    assert str(other.policy.max_cost_cents) == "1.5"
    assert claimed(database, tenant, ask(api, strategy="cascade")["id"]).policy.strategy is StrategyName.CASCADE


def test_a_job_shows_what_was_said_and_is_found_by_its_tags(api: httpx2.Client) -> None:
    job = ask(api, tags=["beta", "team/search"], quality_floor=0.05)
    ask(api, tags=["other"])
    found = api.get("/v1/jobs", params={"tag": "team/search"}).json()["data"]
    assert [one["id"] for one in found] == [job["id"]]
    assert found[0]["tags"] == ["beta", "team/search"]
    assert api.get(f"/v1/jobs/{job['id']}").json()["controls"] == {"quality_floor": 0.05}
    assert api.get("/v1/jobs", params={"tag": "nobody"}).json()["data"] == []


def test_a_picture_or_a_tools_result_is_compared_exactly_alone(
    base_settings: Settings, able_service: str, tenant: Tenant, database: Database
) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://pictures.example/cat.png"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, picture]}]
    with httpx2.Client(base_url=able_service, headers={"Authorization": f"Bearer {tenant.key}"}) as asking:
        asking.post("/v1/responses", json={"model": "able", "input": "x", "background": True})
        with pytest.raises(httpx2.ReadTimeout):
            asking.post("/v1/chat/completions", json={"model": "able", "messages": messages}, timeout=0.5)
        jobs = asking.get("/v1/jobs").json()["data"]
    assert [job["stage"] for job in jobs] == ["route", "embed"]


def test_the_service_goes_by_its_own_baseline_without_a_policy(
    base_settings: Settings, database: Database, tenant: Tenant
) -> None:
    with serving(base_settings) as url, httpx2.Client(base_url=url) as asking:
        asking.headers["Authorization"] = f"Bearer {tenant.key}"
        job = asking.post("/v1/jobs", json={**QUESTION, "cache": "off"}).json()["id"]
    held = claimed(database, tenant, job)
    assert (held.policy.fallback, held.policy.baseline_model) == (True, None)


def test_a_caller_says_whether_he_waits_for_much_the_same_answer(api: httpx2.Client) -> None:
    job = ask(api, wait_for_similar=True)
    assert api.get(f"/v1/jobs/{job['id']}").json()["controls"] == {"wait_for_similar": True}
    refused = api.post("/v1/jobs", json={"prompt": "x", "wait_for_similar": "perhaps"})
    assert refused.status_code == 422
    assert "wait_for_similar" in refused.text
