"""`aico learner`: what was learned, shown and taken back, in the real database."""

import json

import pytest
from cli.conftest import Aico
from conftest import Postgres, Tenant

from aico.routing.learner.design import DESIGN
from aico.routing.verifier.answer_design import ANSWER_DESIGN
from aico.store import learner
from aico.store.blocking import Database
from aico.store.learner import Kind, Lesson, Solution, StoredStatistics
from aico.store.scope import Scope


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch, postgres: Postgres, tenant: Tenant) -> str:
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    return f"tenant {tenant.id}"


@pytest.fixture
def taught(database: Database, tenant: Tenant) -> Tenant:
    for _ in range(2):
        scope = Scope.tenant(tenant.id)
        (held,) = database.run(scope, learner.claim(tenant.id, 60))
        sums = StoredStatistics("model-a", DESIGN, b"sums", 10.0, 0.0, {"code": (10, 8.0)})
        lesson = Lesson(DESIGN, 0.0, [sums], [], Solution(b"solution", 10.0, 0.95, 2.5))
        database.run(scope, learner.keep(held, lesson, 0))
    return tenant


def versions(aico: Aico, name: str) -> list[tuple[int, bool]]:
    outcome = aico("learner", "history", name, "--json")
    assert outcome.code == 0, outcome.err
    return [(one["version"], one["counts"]) for one in json.loads(outcome.out)]


def test_what_was_learned_is_shown(aico: Aico, name: str, taught: Tenant) -> None:
    shown = aico("learner", "show", name)
    assert shown.code == 0
    said = " ".join(shown.err.split())
    assert "Routing goes by version 2: 10 outcomes; one more US cent has to gain 2.5 of quality." in said
    assert all(word in shown.out for word in ("model-a", "code", "0.80", "0.49"))
    data = json.loads(aico("learner", "show", name, "--json").out)
    assert (data["learner"]["version"], data["models"][0]["model"]) == (2, "model-a")
    assert "2.5" in aico("learner", "history", name).out


def test_drafts_are_shown_where_there_are_any(aico: Aico, name: str, database: Database, tenant: Tenant) -> None:
    scope = Scope.tenant(tenant.id)
    (held,) = database.run(scope, learner.claim(tenant.id, 60))
    judged = StoredStatistics("model-d", ANSWER_DESIGN, b"sums", 10.0, 0.0, {"code": (10, 8.0)}, Kind.DRAFT)
    database.run(scope, learner.keep(held, Lesson(DESIGN, 0.0, [judged], [], None), 0))
    shown = aico("learner", "show", name)
    assert all(word in shown.out for word in ("model-d", "0.80", "0.49"))
    (drafted,) = json.loads(aico("learner", "show", name, "--json").out)["drafts"]
    assert (drafted["model"], drafted["checked"]) == ("model-d", 0)


def test_a_version_is_rolled_back_and_resumed(aico: Aico, name: str, taught: Tenant) -> None:
    assert versions(aico, name) == [(2, True), (1, False)]
    assert aico("learner", "rollback", name, "1").code == 0
    assert versions(aico, name) == [(2, False), (1, True)]
    assert "version 1, held there; the newest is 2" in aico("learner", "show", name).err
    assert aico("learner", "resume", name).code == 0
    assert versions(aico, name) == [(2, True), (1, False)]
    assert aico("learner", "resume", name).code == 1


def test_a_reset_leaves_the_versions(aico: Aico, name: str, taught: Tenant) -> None:
    assert aico("learner", "reset", name).code == 0
    assert versions(aico, name) == [(2, False), (1, False)]
    assert json.loads(aico("learner", "show", name, "--json").out)["models"] == []


def test_what_does_not_exist_is_said(aico: Aico, name: str) -> None:
    assert "no version 3 is kept" in aico("learner", "rollback", name, "3").err
    assert aico("learner", "reset", name).code == 1
    assert "Nothing has been learned." in aico("learner", "show", name).err
    assert aico("learner", "show", "nobody").code == 1
