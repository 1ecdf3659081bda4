"""What drafts teach: real jobs through the routing task, judged, learned from, and decided by what was learned."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from workers.comparing import prefers
from workers.drafting import BETTER, CHEAP, DEAR, HEDGED, JUDGE, MODELS, SURE, Desk, Drafting
from workers.provider_server import serving

from aico.routing.learner.design import DESIGN
from aico.routing.learner.kept import restored
from aico.routing.learner.statistics import Statistics
from aico.routing.strategies.strategies import Strategies
from aico.routing.verifier.answer_design import LOSS
from aico.routing.verifier.drafts import Check
from aico.routing.verifier.kept import restored_draft
from aico.routing.verifier.verifier import Verification
from aico.store import backlog, drafts, jobs, learner
from aico.store.outcomes import Source
from aico.store.scope import Scope
from aico.workers import compare, lesson, route
from aico.workers.answers import Known
from aico.workers.comparer import Comparer
from aico.workers.learned import LearnedSolutions
from aico.workers.leases import Leases
from aico.workers.router import Router
from aico.workers.runtime import Runtime

EMPTY = " "


@pytest.fixture
def comparer(runtime: Runtime, scene: Drafting) -> Iterator[Comparer]:
    made = Comparer(scene.runtime.settings)
    yield made
    made.close()


@pytest.fixture
def scene(
    runtime: Runtime, tenant: Tenant, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Drafting]:
    catalogue, desk = tmp_path / "models.toml", Desk()
    catalogue.write_text(MODELS)
    with (
        serving(desk),
        psycopg.connect(postgres.admin_url, autocommit=True, row_factory=dict_row) as admin,
    ):
        admin.execute("delete from private.judge_days")
        changes = {"local_model_url": desk.url, "catalogue_file": catalogue, "judge_model": JUDGE, "shadow_rate": 1.0}
        settings = runtime.settings.model_copy(update={**changes, "retry_base_seconds": 0.01})
        working = replace(runtime, settings=settings)
        learned = LearnedSolutions(runtime.database)
        router = Router(settings, Strategies(), known=Known(solutions=learned.of, verifiers=learned.verifier))
        held = Leases(runtime)
        held.start()
        monkeypatch.setattr(route, "get_runtime", lambda: working)
        monkeypatch.setattr(route, "router", lambda: router)
        monkeypatch.setattr(route, "leases", lambda: held)
        yield Drafting(working, tenant, admin, desk)
        held.stop()
        router.close()


def judged_world(scene: Drafting, count: int) -> None:
    """Two thirds of the drafts hedge and are right, one third is sure of itself and is not."""
    for number in range(count):
        right = number % 3 > 0
        job = scene.drafted(HEDGED if right else SURE, number=20 + number)
        scene.judge(job.id, float(right), model=CHEAP, source=Source.JUDGE)
        if right:
            scene.judge(job.id, 1.0, model=DEAR)  # the answer that the caller was given
    scene.learn()


def test_a_hundred_and_fifty_judged_drafts_turn_the_check_round(scene: Drafting) -> None:
    assert [scene.verified(text) for text in (SURE, HEDGED)] == ["passed", "escalated"]
    judged_world(scene, 150)
    assert scene.sums("draft")[CHEAP] == (150.0, {"math": [150, 100.0]})
    assert [scene.verified(text) for text in (SURE, HEDGED)] == ["escalated", "passed"]
    assert scene.logged(scene.drafted(HEDGED))["policy_version"] == "cascade-1/learned-1"
    (standing,) = scene.run(drafts.standing(scene.tenant.id))
    assert (standing.model, standing.judged, standing.good, standing.checked) == (CHEAP, 150, 100.0, 155)
    assert standing.passed == 50 + 1 + 2


def test_what_is_certain_stays_certain_whatever_is_learned(scene: Drafting) -> None:
    for number in range(30):
        scene.judge(scene.drafted(EMPTY, number=20 + number).id, 1.0, model=CHEAP, source=Source.JUDGE)
    scene.learn()
    assert scene.verified(EMPTY) == "escalated"


def test_what_is_kept_of_a_draft_is_what_its_check_saw(scene: Drafting, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Verification] = []
    verified = Check.verified

    def recording(*args: Any) -> Verification:
        seen.append(verified(*args))
        return seen[-1]

    monkeypatch.setattr(Check, "verified", recording)
    row = scene.logged(scene.drafted(HEDGED))
    (one,) = seen
    assert one.numbers is not None
    prompt = restored(row["design"], bytes(row["features"]), None)
    assert prompt is not None
    again = restored_draft(row["draft_design"], bytes(row["draft_features"]), prompt)
    assert again is not None
    assert np.allclose(again, one.numbers, rtol=1e-3, atol=1e-3)
    assert again[LOSS] == pytest.approx(one.loss, abs=1e-3)
    assert (row["draft_model"], row["draft_passed"]) == (CHEAP, False)
    assert row["draft_loss"] == pytest.approx(one.loss, rel=1e-4)


def test_a_job_without_a_draft_keeps_nothing_of_one(scene: Drafting) -> None:
    job = scene.answered()
    row = scene.admin.execute("select draft_model, draft_features from decisions where job_id = %s", (job,)).fetchone()
    assert row == {"draft_model": None, "draft_features": None}


def test_the_better_models_answer_is_never_credited_to_the_draft(scene: Drafting) -> None:
    job = scene.drafted(HEDGED)
    scene.judge(job.id, 1.0, model=DEAR)
    scene.learn()
    assert scene.sums("draft") == {}
    assert scene.sums("model") == {DEAR: (1.0, {"math": [1, 1.0]})}


def test_what_the_check_rejects_teaches_nobody_to_reject_it(scene: Drafting) -> None:
    before = scene.logged(scene.drafted(HEDGED))["draft_loss"]
    for number in range(30):
        assert scene.drafted(HEDGED, number=30 + number).routing.verified == "escalated"  # type: ignore[union-attr]
    query = "select model, quality, source from outcomes where tenant_id = %s group by model, quality, source"
    assert [tuple(row.values()) for row in scene.rows(query)] == [(CHEAP, 0.25, "implicit")]  # noted all the same
    scene.learn()
    assert (scene.sums("draft"), scene.sums("model"), scene.unlearned()) == ({}, {}, 0)
    assert scene.logged(scene.drafted(HEDGED))["draft_loss"] == before


def test_a_draft_that_is_bad_for_certain_speaks_against_its_model_and_not_for_the_check(scene: Drafting) -> None:
    assert scene.drafted(EMPTY).routing.verified == "escalated"  # type: ignore[union-attr]
    scene.learn()
    assert scene.sums("draft") == {}
    assert scene.sums("model") == {CHEAP: (lesson.WEIGHTS[Source.IMPLICIT], {"math": [1, 0.25]})}


def test_signs_that_nobody_asked_for_do_not_teach_what_drafts_are_good_for(scene: Drafting) -> None:
    job = scene.drafted(SURE)
    scene.judge(job.id, 0.25, model=CHEAP, source=Source.IMPLICIT)  # the caller asked again
    scene.learn()
    assert scene.sums("draft") == {}
    assert scene.sums("model") == {CHEAP: (0.3, {"math": [1, 0.25]})}
    scene.judge(job.id, 0.75, model=CHEAP)
    scene.learn()
    assert scene.sums("draft") == {CHEAP: (1.0, {"math": [1, 0.75]})}
    assert scene.sums("model") == {CHEAP: (1.0, {"math": [1, 0.75]})}


def test_a_judgement_counts_for_as_much_whatever_was_known_before(scene: Drafting) -> None:
    job = scene.drafted(SURE)
    for quality, source in ((0.25, Source.IMPLICIT), (0.5, Source.JUDGE), (0.25, Source.USER), (0.75, Source.USER)):
        scene.judge(job.id, quality, model=CHEAP, source=source)
        scene.learn()
        assert scene.unlearned() == 0
    corrected = {one.kind: one for one in scene.run(learner.statistics(scene.tenant.id))}
    scene.run(learner.reset(scene.tenant.id, "operator"))
    scene.judge(scene.drafted(SURE).id, 0.75, model=CHEAP)
    scene.learn()
    for one in scene.run(learner.statistics(scene.tenant.id)):
        _, dimensions = lesson._DESIGNS[one.kind]
        whole, mended = (Statistics.decoded(held.data, dimensions) for held in (one, corrected[one.kind]))
        assert (mended.labels, mended.squares) == pytest.approx((whole.labels, whole.squares))
        assert np.allclose(mended.moments, whole.moments, atol=1e-9)
        assert np.allclose(mended.products, whole.products, atol=1e-9)


def test_the_same_quality_from_a_better_source_counts_for_more(scene: Drafting) -> None:
    job = scene.drafted(SURE)
    for source in (Source.IMPLICIT, Source.USER):
        scene.judge(job.id, 0.25, model=CHEAP, source=source)
        scene.learn()
    assert scene.sums("model") == {CHEAP: (1.0, {"math": [1, 0.25]})}


@pytest.mark.parametrize(
    ("likes", "quality", "good"), [(SURE, 1.0, 1.0), (BETTER, 0.0, 0.0), (None, 0.5, 1.0)], ids=["won", "lost", "tied"]
)
def test_a_rejected_draft_is_judged_against_the_answer_that_took_its_place(
    scene: Drafting, comparer: Comparer, likes: str | None, quality: float, good: float
) -> None:
    if likes is not None:
        scene.desk.judging = prefers(likes)
    job = scene.drafted(HEDGED)
    query = "select served, rival, answer, status from shadow_pairs where tenant_id = %s"
    assert [tuple(row.values()) for row in scene.rows(query)] == [(DEAR, CHEAP, HEDGED, "waiting")]
    compare.work_on(scene.runtime, comparer, scene.tenant.id, job.id)
    assert [tuple(row.values()) for row in scene.rows(query)] == [(DEAR, CHEAP, None, "judged")]
    assert [scene.desk.asked_of(model) for model in (CHEAP, DEAR, JUDGE)] == [1, 1, 2]  # nobody answers anew
    scene.learn()
    assert scene.sums("draft") == {CHEAP: (1.0, {"math": [1, good]})}
    assert scene.sums("model")[CHEAP] == (1.0, {"math": [1, quality]})
    assert scene.sums("model")[DEAR] == (1.0, {"math": [1, 1 - quality]})


def test_a_rejected_draft_without_words_is_compared_with_nothing(scene: Drafting) -> None:
    assert scene.drafted(EMPTY).routing.verified == "escalated"  # type: ignore[union-attr]
    assert scene.rows("select job_id from shadow_pairs where tenant_id = %s") == []


def test_a_pair_whose_rival_has_left_the_catalogue_is_credited_to_nobody_else(
    scene: Drafting, comparer: Comparer
) -> None:
    job = scene.drafted(HEDGED)
    scene.admin.execute("update shadow_pairs set rival = 'gone' where job_id = %s", (job.id,))
    compare.work_on(scene.runtime, comparer, scene.tenant.id, job.id)
    query = "select status, reason from shadow_pairs where tenant_id = %s"
    assert [tuple(row.values()) for row in scene.rows(query)] == [("dropped", "model_gone")]


def test_drafts_are_learned_from_once(scene: Drafting) -> None:
    for number in range(10):
        scene.judge(scene.drafted(SURE, number=20 + number).id, 1.0, model=CHEAP)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(scene.learn) for _ in range(4)]:
            done.result()
    scene.learn()
    once = {CHEAP: (10.0, {"math": [10, 10.0]})}
    assert (scene.sums("draft"), scene.sums("model")) == (once, once)


def test_one_tenants_drafts_teach_nothing_to_another(scene: Drafting, make_tenant: Callable[[], Tenant]) -> None:
    other = scene.of(make_tenant())
    judged_world(scene, 60)
    assert scene.verified(SURE) == "escalated"
    assert other.verified(SURE) == "passed"
    assert other.run(drafts.standing(scene.tenant.id)) == []
    known = LearnedSolutions(scene.runtime.database)
    assert known.verifier(scene.tenant.id, 1) is not None
    assert known.verifier(other.tenant.id, 1) is None


def test_a_rollback_and_a_reset_hold_for_the_check_too(scene: Drafting) -> None:
    scene.judge(scene.drafted(SURE).id, 1.0, model=CHEAP)
    scene.learn()
    judged_world(scene, 60)
    assert scene.verified(SURE) == "escalated"
    scene.run(learner.pin(scene.tenant.id, 1, "operator"))
    assert scene.verified(SURE) == "passed"
    scene.run(learner.unpin(scene.tenant.id, "operator"))
    assert scene.verified(SURE) == "escalated"
    scene.run(learner.reset(scene.tenant.id, "operator"))
    assert scene.verified(SURE) == "passed"
    assert scene.sums("draft") == {}


def test_numbers_of_another_design_or_damaged_teach_nothing_about_drafts(scene: Drafting) -> None:
    of_old, damaged = scene.drafted(SURE), scene.drafted(SURE, number=30)
    scene.admin.execute("update decisions set draft_design = %s where job_id = %s", (f"{DESIGN}/answer-0", of_old.id))
    scene.admin.execute("update decisions set draft_features = '\\xffff' where job_id = %s", (damaged.id,))
    for job in (of_old, damaged):
        scene.judge(job.id, 1.0, model=CHEAP)
    scene.learn()
    assert (scene.sums("draft"), scene.unlearned()) == ({}, 0)
    assert scene.sums("model") == {CHEAP: (2.0, {"math": [2, 2.0]})}


def test_outcomes_go_with_their_jobs_and_what_was_learned_stays(scene: Drafting) -> None:
    deleted, old, kept = (scene.drafted(SURE, number=number) for number in (20, 30, 40))
    for job in (deleted, old, kept):
        scene.judge(job.id, 1.0, model=CHEAP)
    scene.learn()
    learned = scene.sums("draft")
    scene.run(jobs.delete(scene.tenant.id, deleted.id))
    aged = UUID(int=old.id.int & ((1 << 80) - 1) | 0x010000000000 << 80)
    scene.admin.execute("delete from shadow_pairs where tenant_id = %s", (scene.tenant.id,))
    for table, column in (("jobs", "id"), ("decisions", "job_id"), ("outcomes", "job_id")):
        scene.admin.execute(f"update {table} set {column} = %s where {column} = %s", (aged, old.id))  # noqa: S608
    scene.admin.execute("update jobs set finished_at = '2020-01-01' where id = %s", (aged,))
    scene.runtime.database.run(Scope.system(), backlog.purge(kept_days=365, limit=500))
    rows = scene.rows("select job_id from outcomes where tenant_id = %s")
    assert [row["job_id"] for row in rows] == [kept.id]
    (sums,) = scene.rows("select sum(judged) as judged from outcome_rollups where tenant_id = %s")
    assert (sums["judged"], scene.sums("draft")) == (3, learned)
