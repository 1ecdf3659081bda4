"""What is logged of each decision, and what was learned deciding: real jobs through the real routing worker."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from builders import new_job, passed, unit_vector
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from workers.catalogues import catalogue
from workers.learning import PLAIN, SUBTLE, Learning
from workers.provider_server import Server, serving

from aico.core.assignment import HELD_OUT, Assigned, Treatment, fraction
from aico.core.jobs import CacheMode, Job, JobStatus
from aico.core.settings import Settings
from aico.routing.features import extract_features
from aico.routing.learner.design import design
from aico.routing.learner.kept import restored
from aico.routing.strategies.strategies import Strategies
from aico.store import backlog, claims, embeddings, jobs
from aico.store.decisions import Grounds, vector_of
from aico.store.scope import Scope
from aico.workers import learn, route
from aico.workers.answers import Known
from aico.workers.learned import LearnedSolutions
from aico.workers.leases import Leases
from aico.workers.router import Router
from aico.workers.runtime import Runtime

NOT_HERE = """
[[models]]
id = "smollm2-135m"
provider = "openai"
provider_model = "smollm2"
quality = 0.1
context_window = 8192
max_output = 2048
"""
CATALOGUE = NOT_HERE + catalogue([(PLAIN, 0.4, 0.1), (SUBTLE, 0.9, 2)])
RANKS = {PLAIN: 0.4, SUBTLE: 0.9}


@pytest.fixture
def provider() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def routing(runtime: Runtime, provider: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(CATALOGUE)
    changes = {"local_model_url": provider.url, "catalogue_file": catalogue, "retry_base_seconds": 0.01}
    settings = runtime.settings.model_copy(update=changes)
    router = Router(settings, Strategies(), known=Known(solutions=LearnedSolutions(runtime.database).of))
    held = Leases(runtime)
    held.start()
    monkeypatch.setattr(route, "get_runtime", lambda: runtime)
    monkeypatch.setattr(route, "router", lambda: router)
    monkeypatch.setattr(route, "leases", lambda: held)
    yield settings
    held.stop()
    router.close()


@pytest.fixture
def scene(runtime: Runtime, routing: Settings, tenant: Tenant, postgres: Postgres) -> Iterator[Learning]:
    with psycopg.connect(postgres.admin_url, autocommit=True, row_factory=dict_row) as admin:
        yield Learning(runtime, tenant, admin)


def routed(scene: Learning, prompt: str, vector: int | None = None, **changes: Any) -> Job:
    model = changes.pop("model", "auto")
    job = replace(new_job(prompt, mode=CacheMode.OFF if vector is None else CacheMode.SEMANTIC), **changes)
    job.request["model"] = model
    scene.run(jobs.submit(scene.tenant.id, [job]))
    if vector is not None:
        found = scene.run(embeddings.to_embed(scene.tenant.id, [job.id], 0.95))
        scene.run(embeddings.advance(scene.tenant.id, passed(found, np.stack([unit_vector(vector)])), "variant"))
    route.route.run(str(scene.tenant.id), str(job.id))
    (ended,) = scene.run(jobs.get(scene.tenant.id, job.id))
    assert isinstance(ended, Job)
    return ended


def logged(scene: Learning, job: UUID) -> dict[str, Any] | None:
    query = "select d.*, extensions.halfvec_send(d.embedding) as vector from decisions d where job_id = %s"
    return scene.admin.execute(query, (job,)).fetchone()


def test_a_decision_is_logged_with_the_answer(scene: Learning) -> None:
    job = routed(scene, "What is the capital of France?", vector=5)
    row = logged(scene, job.id)
    assert row is not None
    assert job.routing is not None
    assert (row["tenant_id"], row["strategy"], row["asked"], row["task"]) == (
        scene.tenant.id,
        job.routing.strategy,
        "auto",
        "question",
    )
    assert (row["first_choice"], row["model"]) == (PLAIN, job.routing.model)
    assert row["cost_cents"] == Decimal(str(job.routing.cost_cents))
    assert row["cents"].keys() == RANKS.keys()
    assert 0 < row["cents"][PLAIN] < row["cents"][SUBTLE]
    assert row["learned_version"] is None
    vector = vector_of(row["vector"])
    assert vector is not None
    assert np.allclose(vector, unit_vector(5), atol=1e-3)


def test_what_is_kept_of_a_prompt_is_what_a_learner_sees_of_it(scene: Learning) -> None:
    held = scene.claimed("Why is 2 + 2 = 4? Prove it step by step.", vector=8)
    features = replace(extract_features(held.request), vector=held.grounds.vector)
    job = routed(scene, "Why is 2 + 2 = 4? Prove it step by step.", vector=8)
    row = logged(scene, job.id)
    assert row is not None
    again = restored(row["design"], bytes(row["features"]), vector_of(row["vector"]))
    assert again is not None
    assert np.allclose(again, design(features), rtol=1e-3, atol=1e-3)


def test_the_ledger_says_by_which_policy_and_how_likely_a_choice_was(scene: Learning) -> None:
    assigned = Assigned(arms=("x/a",))
    job = routed(scene, "What is it?", assigned=assigned)
    query = "select strategy, policy_version, propensity, assignment_unit from ledger_outbox where job_id = %s"
    event, row = scene.admin.execute(query, (job.id,)).fetchone(), logged(scene, job.id)
    assert event is not None
    assert row is not None
    assert event["assignment_unit"] == "x/a"
    assert (event["strategy"], event["policy_version"], event["propensity"]) == (
        row["strategy"],
        row["policy_version"],
        pytest.approx(row["propensity"]),
    )


def test_jobs_that_nobody_answers_and_answers_from_the_cache_leave_no_decision(
    scene: Learning, provider: Server
) -> None:
    provider.replies = [(400, "no", "")]
    failed = routed(scene, "refused", model=PLAIN)
    assert failed.status is JobStatus.FAILED
    provider.replies = [(200, "Paris.", "stop")]
    first, copy = routed(scene, "asked twice", vector=1), new_job("asked twice", mode=CacheMode.SEMANTIC)
    (stored,) = scene.run(jobs.submit(scene.tenant.id, [copy]))
    assert stored.answer is not None
    assert [logged(scene, one) is None for one in (failed.id, first.id, copy.id)] == [True, False, True]


def test_a_job_of_the_holdout_is_logged_and_teaches(scene: Learning) -> None:
    assigned = Assigned(arms=(HELD_OUT,), treatment=Treatment(model=SUBTLE, cache=CacheMode.OFF), direct=True)
    job = routed(scene, "What is it?", assigned=assigned)
    row = logged(scene, job.id)
    assert row is not None
    assert (row["asked"], row["first_choice"], row["propensity"]) == (SUBTLE, SUBTLE, 1.0)
    scene.judge(job.id, 1.0, model=SUBTLE)
    learn.work_on(scene.runtime, scene.tenant.id, RANKS)
    assert scene.figures() == {SUBTLE: (1.0, {"question": [1, 1.0]})}


def test_two_hundred_outcomes_turn_the_choice_to_the_model_that_does_better(scene: Learning) -> None:
    before = routed(scene, "What is the answer to question 0?", vector=0)
    assert before.routing is not None
    assert before.routing.model == PLAIN  # the cheapest that complexity takes to be good enough
    for number in range(1, 101):
        job = routed(scene, f"What is the answer to question {number}?", vector=number)
        scene.judge(job.id, 0.1, model=PLAIN)
        scene.judge(job.id, 0.9, model=SUBTLE)  # of the pair that a judge compared
    learn.work_on(scene.runtime, scene.tenant.id, RANKS)
    chosen = [routed(scene, f"What is it {number}?", vector=1000 + number) for number in range(10)]
    rows = [row for job in chosen if (row := logged(scene, job.id)) is not None]
    likely = [row for row in rows if row["propensity"] > 0.5]  # the others were drawn to be tried
    assert len(likely) >= 8
    assert {row["first_choice"] for row in likely} == {SUBTLE}
    assert {row["learned_version"] for row in rows} == {1}
    assert all(row["expected"][SUBTLE] > row["expected"][PLAIN] for row in rows)
    assert all(sum(row["chances"].values()) == pytest.approx(1, abs=1e-3) for row in rows)


def test_a_decision_costs_no_statement_while_what_was_learned_is_remembered(
    scene: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    run_each = scene.runtime.database.run_each

    def counting(work: Any) -> Any:
        sent.extend(statement.sql for _, statement in work)
        return run_each(work)

    def of_one_job() -> list[str]:
        sent.clear()
        routed(scene, "What is it?")
        return [text for text in sent if "lease_until = now() + make_interval(secs => $1)" not in text]

    for _ in range(3):
        scene.judge(routed(scene, "What is it?").id, 1.0)
    with monkeypatch.context() as patch:
        patch.setattr(scene.runtime.database, "run_each", counting)
        untaught = of_one_job()
        learn.work_on(scene.runtime, scene.tenant.id, RANKS)
        first, second = of_one_job(), of_one_job()
    reads = "select solution, verifier from public.learner_solutions"
    assert [any(reads in text for text in texts) for texts in (untaught, first, second)] == [False, True, False]


def test_a_job_that_is_taken_over_is_decided_alike(scene: Learning) -> None:
    held = scene.claimed("whose is it?", vector=2)
    scene.admin.execute("update jobs set lease_until = now() - interval '1 s' where id = %s", (held.id,))
    (again,) = scene.run(claims.claim(scene.tenant.id, held.id, 30))
    assert (again.taken_over, again.grounds.chance) == (True, held.grounds.chance)
    assert again.grounds.vector is not None
    assert held.grounds.vector is not None
    assert np.array_equal(again.grounds.vector, held.grounds.vector)


def test_what_is_tried_with_a_job_says_nothing_of_its_part_in_the_holdout(tenant: Tenant) -> None:
    job = new_job("x").id
    row = {"id": job, "draw_salt": "salt", "vector": None, "learned_version": None}
    chance = Grounds.of(tenant.id, row).chance
    assert 0 <= chance < 1
    assert chance != fraction("salt", str(job))


def test_decisions_go_with_their_jobs(scene: Learning, make_tenant: Callable[[], Tenant]) -> None:
    deleted, old, kept = (routed(scene, prompt) for prompt in ("one", "two", "three"))
    assert scene.runtime.database.run(Scope.tenant(make_tenant().id), jobs.delete(scene.tenant.id, deleted.id)) == []
    assert logged(scene, deleted.id) is not None
    scene.run(jobs.delete(scene.tenant.id, deleted.id))
    aged = UUID(int=old.id.int & ((1 << 80) - 1) | 0x010000000000 << 80)
    for table, column in (("jobs", "id"), ("decisions", "job_id")):
        scene.admin.execute(f"update {table} set {column} = %s where {column} = %s", (aged, old.id))  # noqa: S608
    scene.admin.execute("update jobs set finished_at = '2020-01-01' where id = %s", (aged,))
    scene.runtime.database.run(Scope.system(), backlog.purge(kept_days=365, limit=500))
    assert [logged(scene, one) is None for one in (deleted.id, aged, kept.id)] == [True, True, False]
