"""What is learned from outcomes: each once, by one at a time, of one tenant."""

import base64
import importlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import Tenant
from workers.learning import PLAIN, RANKS, SUBTLE, Learning, Scenes, scene, scenes, solution

from aico.routing.learner.statistics import Statistics
from aico.store import learner, lessons
from aico.store.outcomes import Source
from aico.store.statement import Statement
from aico.workers import learn
from aico.workers.app import WORKERS, app
from aico.workers.queue import Queue, to_learn

__all__ = ["scene", "scenes"]


def test_outcomes_are_learned_from_once(scene: Learning) -> None:
    for quality in (0.0, 1.0, 1.0):
        scene.judge(scene.answered(vector=1), quality)
    scene.learn()
    assert scene.figures() == {PLAIN: (3.0, {"question": [3, 2.0]})}
    assert (scene.version(), scene.unlearned()) == (1, 0)
    before = scene.rows("select statistics from learner_statistics where tenant_id = %s")
    scene.learn()
    assert scene.rows("select statistics from learner_statistics where tenant_id = %s") == before
    assert scene.version() == 1


def test_the_bell_is_heard_by_the_worker_that_drains_its_queue(
    scene: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "get_runtime", lambda: scene.runtime)
    monkeypatch.setattr(learn, "ranks", lambda: RANKS)
    scene.judge(scene.answered(), 1.0)
    scene.runtime.tell(bells=[to_learn(scene.tenant.id)])
    message = json.loads(str(scene.runtime.redis.rpop(Queue.LEARN.value)))
    arguments, *_ = json.loads(base64.b64decode(message["body"]))
    importlib.import_module(WORKERS["batch"].module)
    assert Queue.LEARN in WORKERS["batch"].queues
    app.tasks[message["headers"]["task"]].run(*arguments)
    assert scene.version() == 1


def test_a_learner_that_dies_before_it_stores_leaves_everything_to_the_next(scene: Learning) -> None:
    scene.judge(scene.answered(), 1.0)
    (dead,) = scene.run(learner.claim(scene.tenant.id, 60))
    made = learn.made_of(dead, *learn._read(scene.runtime, dead), RANKS)
    scene.learn()  # its lease has not run out
    assert (scene.figures(), scene.unlearned()) == ({}, 1)
    scene.admin.execute("update learners set lease_until = now() where tenant_id = %s", (scene.tenant.id,))
    scene.learn()
    figures = {PLAIN: (1.0, {"question": [1, 1.0]})}
    assert (scene.figures(), scene.version()) == (figures, 1)
    assert scene.run(learner.keep(dead, made, 0)) == []  # it was not dead after all
    assert (scene.figures(), scene.version()) == (figures, 1)


def test_what_was_stored_is_not_stored_again(scene: Learning) -> None:
    scene.judge(scene.answered(), 1.0)
    (held,) = scene.run(learner.claim(scene.tenant.id, 60))
    made = learn.made_of(held, *learn._read(scene.runtime, held), RANKS)
    assert scene.run(learner.keep(held, made, 0)) == [1]
    assert scene.run(learner.keep(held, made, 0)) == []  # its confirmation was lost
    assert scene.figures() == {PLAIN: (1.0, {"question": [1, 1.0]})}


def test_two_learners_at_once_learn_once(scene: Learning) -> None:
    for _ in range(20):
        scene.judge(scene.answered(), 1.0)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(scene.learn) for _ in range(4)]:
            done.result()
    scene.learn()
    assert scene.figures() == {PLAIN: (20.0, {"question": [20, 20.0]})}
    assert scene.unlearned() == 0


def test_a_judgement_of_more_weight_takes_the_place_of_the_one_before(scene: Learning) -> None:
    job = scene.answered(vector=3)
    scene.judge(job, 0.25, source=Source.IMPLICIT)
    scene.learn()
    scene.judge(job, 0.75)
    assert scene.unlearned() == 1
    scene.learn()
    labels, tasks = scene.figures()[PLAIN]
    assert (labels, tasks) == (1.0, {"question": [1, 0.75]})
    (corrected,) = scene.run(learner.statistics(scene.tenant.id))
    scene.run(learner.reset(scene.tenant.id, "operator"))
    scene.judge(scene.answered(vector=3), 0.75)
    scene.learn()
    (at_once,) = scene.run(learner.statistics(scene.tenant.id))
    whole, mended = (Statistics.decoded(one.data) for one in (at_once, corrected))
    assert (whole.labels, whole.squares) == pytest.approx((mended.labels, mended.squares))
    for wanted, found in ((whole.moments, mended.moments), (whole.products, mended.products)):
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_a_judgement_that_comes_while_it_learns_is_learned_next(scene: Learning) -> None:
    job = scene.answered()
    scene.judge(job, 0.5)
    (held,) = scene.run(learner.claim(scene.tenant.id, 60))
    made = learn.made_of(held, *learn._read(scene.runtime, held), RANKS)
    scene.judge(job, 1.0)
    scene.run(learner.keep(held, made, 0))
    assert scene.unlearned() == 1
    scene.learn()
    assert scene.figures() == {PLAIN: (1.0, {"question": [1, 1.0]})}


def test_what_cannot_be_learned_is_marked_and_holds_nothing_up(scene: Learning) -> None:
    undecided, of_old, damaged, unknown = (scene.answered() for _ in range(4))
    scene.admin.execute("delete from decisions where job_id = %s", (undecided,))
    scene.admin.execute("update decisions set design = 'design-0' where job_id = %s", (of_old,))
    scene.admin.execute("update decisions set features = '\\xffff' where job_id = %s", (damaged,))
    for job in (undecided, of_old, damaged):
        scene.judge(job, 0.0)
    scene.judge(unknown, 0.0, model="a model that is in no catalogue")
    scene.learn()
    assert (scene.figures(), scene.version(), scene.unlearned()) == ({}, 0, 0)
    scene.judge(scene.answered(), 1.0)
    scene.learn()
    assert scene.figures() == {PLAIN: (1.0, {"question": [1, 1.0]})}


def test_what_is_not_finite_is_not_learned(scene: Learning) -> None:
    job = scene.answered()
    scene.admin.execute(
        "update decisions set features = decode(repeat('ff7f', length(features) / 2), 'hex') where job_id = %s", (job,)
    )
    scene.judge(job, 1.0)
    scene.learn()
    assert (scene.figures(), scene.unlearned()) == ({}, 0)


def test_statistics_that_cannot_be_read_begin_anew(scene: Learning) -> None:
    scene.judge(scene.answered(), 1.0)
    scene.learn()
    scene.admin.execute("update learner_statistics set statistics = 'x' where tenant_id = %s", (scene.tenant.id,))
    scene.judge(scene.answered(), 0.0)
    scene.learn()
    assert scene.figures() == {PLAIN: (1.0, {"question": [1, 0.0]})}


def test_one_tenants_outcomes_teach_nothing_to_another(scenes: Scenes, make_tenant: Callable[[], Tenant]) -> None:
    mine, theirs = scenes(make_tenant()), scenes(make_tenant())
    for one, quality in ((mine, 1.0), (theirs, 0.0)):
        for _ in range(5):
            one.judge(one.answered(vector=1), quality)
    mine.learn()
    assert (theirs.figures(), theirs.unlearned(), theirs.version()) == ({}, 5, 0)
    known = solution(mine).encoded()
    theirs.learn()
    assert theirs.figures() == {PLAIN: (5.0, {"question": [5, 0.0]})}
    assert mine.figures() == {PLAIN: (5.0, {"question": [5, 5.0]})}
    assert solution(mine).encoded() == known
    asked: list[Statement[Any]] = [
        learner.solution(theirs.tenant.id, 1),
        learner.in_use(theirs.tenant.id),
        learner.history(theirs.tenant.id),
        learner.models(theirs.tenant.id),
        learner.statistics(theirs.tenant.id),
        lessons.outcomes(theirs.tenant.id, limit=9),
        lessons.recent(theirs.tenant.id, limit=9),
        learner.pin(theirs.tenant.id, 1, "operator"),
        learner.reset(theirs.tenant.id, "operator"),
    ]
    assert [mine.run(statement) for statement in asked] == [[]] * len(asked)


def test_the_newest_decisions_say_what_quality_costs(scene: Learning) -> None:
    for vector in range(10):
        job = scene.answered(vector=vector)
        scene.judge(job, 0.0)
        scene.judge(job, 1.0, model=SUBTLE)
    scene.answered(strategy="named", cents={SUBTLE: None})
    scene.learn()
    learned = solution(scene)
    assert learned.labels.keys() == RANKS.keys()
    assert learned.frontier
    (standing,) = scene.run(learner.standing(scene.tenant.id))
    assert standing.price == pytest.approx(learned.price(standing.target))


def test_old_outcomes_fade(scene: Learning, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn, "MEMORY", 10.0)
    for _ in range(2):
        scene.judge(scene.answered(), 1.0)
    scene.learn()
    for _ in range(10):
        scene.judge(scene.answered(), 0.0, model=SUBTLE)
    scene.learn()
    (plain, subtle) = scene.run(learner.models(scene.tenant.id))
    assert (plain.labels, subtle.labels) == (pytest.approx(2 / 2.71828, rel=1e-4), 10.0)
