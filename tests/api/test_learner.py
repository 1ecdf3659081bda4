"""`GET /v1/routing/learner`: what was learned of the tenant's own outcomes, with how sure it is."""

from collections.abc import Callable

import pytest
from api.conftest import Connect
from conftest import Tenant

from aico.core.estimates import wilson
from aico.routing.learner.design import DESIGN
from aico.store import learner
from aico.store.blocking import Database
from aico.store.learner import Lesson, Solution, StoredStatistics
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
