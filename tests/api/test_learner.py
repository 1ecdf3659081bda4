"""`GET /v1/routing/learner`: what was learned of the tenant's own outcomes, with how sure it is."""

from collections.abc import Callable

import psycopg
import pytest
from api.conftest import Connect
from conftest import Postgres, Tenant

from aico.core.estimates import wilson
from aico.routing.learner.design import DESIGN
from aico.routing.verifier.answer_design import ANSWER_DESIGN
from aico.store import learner
from aico.store.blocking import Database
from aico.store.learner import Kind, Lesson, Solution, StoredStatistics
from aico.store.scope import Scope

PATH = "/v1/routing/learner"


def teach(database: Database, tenant: Tenant, quality: float = 8.0) -> None:
    scope = Scope.tenant(tenant.id)
    (held,) = database.run(scope, learner.claim(tenant.id, 60))
    tasks = {"code": (10, quality), "chat": (0, 0.0)}
    sums = StoredStatistics("model-a", DESIGN, b"sums", 10.0, 0.0, tasks)
    lesson = Lesson(DESIGN, 0.0, [sums], [], Solution(b"solution", 10.0, 0.95, 2.5))
    assert database.run(scope, learner.keep(held, lesson, 0)) == [held.version + 1]


def test_a_tenant_without_outcomes_sees_that_nothing_was_learned(
    connect: Connect, service: str, tenant: Tenant
) -> None:
    client = connect(service, tenant.key)
    seen = client.get(PATH)
    assert seen.status_code == 200
    assert (seen.json()["version"], seen.json()["models"], seen.json()["quality_price"]) == (0, [], None)


def test_rates_are_shown_with_their_lower_bound(
    connect: Connect, service: str, database: Database, tenant: Tenant
) -> None:
    teach(database, tenant)
    client = connect(service, tenant.key)
    seen = client.get(PATH).json()
    assert (seen["version"], seen["in_use"], seen["pinned"]) == (1, 1, False)
    assert (seen["labels"], seen["quality_target"], seen["quality_price"]) == (10.0, pytest.approx(0.95), 2.5)
    (model,) = seen["models"]
    bound = round(wilson(8, 10).low, 4)
    assert model["tasks"] == [{"task": "code", "outcomes": 10, "quality": 0.8, "quality_at_least": bound}]


def test_drafts_are_shown_with_how_often_they_pass_and_how_good_they_were(
    connect: Connect, service: str, database: Database, tenant: Tenant, postgres: Postgres
) -> None:
    client = connect(service, tenant.key)
    assert client.get(PATH).json()["drafts"] == []
    scope = Scope.tenant(tenant.id)
    (held,) = database.run(scope, learner.claim(tenant.id, 60))
    judged = StoredStatistics(
        "model-a", ANSWER_DESIGN, b"sums", 9.5, 0.0, {"code": (4, 4.0), "chat": (6, 4.0)}, Kind.DRAFT
    )
    database.run(scope, learner.keep(held, Lesson(DESIGN, 0.0, [judged], [], None), 0))
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        for number in range(5):
            admin.execute(
                "insert into decisions (tenant_id, job_id, task, strategy, policy_version, asked, first_choice, score,"
                " confidence, propensity, chances, expected, cents, design, features, draft_model, draft_passed) values"
                " (%s, gen_random_uuid(), 't', 's', 'v', 'auto', 'm', 0, 'low', 1, '{}', '{}', '{}', 'd', '', %s, %s)",
                (tenant.id, "model-a" if number else "model-b", number > 1),
            )
    first, second = client.get(PATH).json()["drafts"]
    good, rate = wilson(8, 10), wilson(3, 4)
    assert first == {
        "model": "model-a",
        "labels": 9.5,
        "judged": 10,
        "quality": 0.8,
        "quality_at_least": round(good.low, 4),
        "checked": 4,
        "passed": 3,
        "pass_rate": 0.75,
        "pass_rate_low": round(rate.low, 4),
        "pass_rate_high": round(rate.high, 4),
    }
    assert (second["model"], second["judged"], second["quality"], second["passed"]) == ("model-b", 0, None, 0)
    assert client.get(PATH).json()["models"] == []


def test_a_version_that_is_held_is_the_one_in_use(
    connect: Connect, service: str, database: Database, tenant: Tenant
) -> None:
    teach(database, tenant)
    teach(database, tenant)
    database.run(Scope.tenant(tenant.id), learner.pin(tenant.id, 1, "operator"))
    client = connect(service, tenant.key)
    seen = client.get(PATH).json()
    assert (seen["version"], seen["in_use"], seen["pinned"]) == (2, 1, True)


def test_nobody_sees_what_another_tenant_has_learned(
    connect: Connect, service: str, database: Database, make_tenant: Callable[[], Tenant]
) -> None:
    mine, theirs = make_tenant(), make_tenant()
    teach(database, theirs)
    client = connect(service, mine.key)
    assert client.get(PATH).json()["version"] == 0


def test_a_quote_is_given_whatever_the_learner_holds(
    connect: Connect, service: str, database: Database, tenant: Tenant
) -> None:
    teach(database, tenant)  # a solution that nobody can read
    client = connect(service, tenant.key)
    quoted = client.post("/v1/quote", json={"prompt": "What is it?"})
    assert quoted.status_code == 200
