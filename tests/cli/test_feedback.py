"""`aico feedback` against the real API."""

import json
from collections.abc import Iterator

import pytest
from cli.conftest import Aico
from cli.live import Live, living
from conftest import Tenant

from aico.core.ids import new_id
from aico.core.settings import Settings
from aico.store import feedback
from aico.store.blocking import Database
from aico.store.scope import Scope


@pytest.fixture
def live(settings: Settings, tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    with living(settings, tenant, database, monkeypatch) as found:
        yield found


@pytest.mark.parametrize(
    ("options", "score"), [(("--good",), 1.0), (("--bad", "--comment", "No."), 0.0), (("--score", "0.25"), 0.25)]
)
def test_a_judgement_is_kept(aico: Aico, live: Live, options: tuple[str, ...], score: float) -> None:
    job = live.submit("What is the capital of France?")
    live.complete(job)
    outcome = aico("feedback", job, *options, "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["score"] == score
    tenant = live.tenant.id
    (kept,) = live.database.run(Scope.tenant(tenant), feedback.get(tenant, json.loads(outcome.out)["job_id"]))
    assert kept.score == score


@pytest.mark.parametrize("options", [(), ("--good", "--bad"), ("--good", "--score", "1"), ("--score", "2")])
def test_what_is_no_judgement_is_refused(aico: Aico, options: tuple[str, ...]) -> None:
    assert aico("feedback", str(new_id()), *options).code == 2


def test_what_has_no_answer_cannot_be_judged(aico: Aico, live: Live) -> None:
    assert aico("feedback", live.submit("waits"), "--good").code == 1
    assert aico("feedback", str(new_id()), "--good").code == 1
