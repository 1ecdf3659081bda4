"""What is learned from outcomes: each once, by one at a time, of one tenant."""

import base64
import importlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from workers.learning import PLAIN, RANKS, SUBTLE, Learning

from aico.routing.learner.learned import Learned
from aico.store import learner, lessons
from aico.store.outcomes import Source
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.workers import learn
from aico.workers.app import WORKERS, app
from aico.workers.learned import LearnedSolutions
from aico.workers.queue import Queue, to_learn
from aico.workers.runtime import Runtime
from aico.workers.sweep import ENOUGH_OUTCOMES, Sweeper

Scenes = Callable[[Tenant], Learning]


@pytest.fixture
def scenes(runtime: Runtime, postgres: Postgres) -> Iterator[Scenes]:
    with psycopg.connect(postgres.admin_url, autocommit=True, row_factory=dict_row) as admin:
        yield lambda tenant: Learning(runtime, tenant, admin)


@pytest.fixture
def scene(scenes: Scenes, tenant: Tenant) -> Learning:
    return scenes(tenant)


def solution(scene: Learning) -> Learned:
    found = LearnedSolutions(scene.runtime.database).of(scene.tenant.id, scene.version())
    assert found is not None
    return found


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
    assert at_once.data[-1000:] == corrected.data[-1000:]


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


def test_the_version_that_counts_can_be_rolled_back_and_resumed(scene: Learning) -> None:
    for quality in (1.0, 0.0, 0.0):
        scene.judge(scene.answered(), quality)
        scene.learn()
    assert scene.version() == 3
    assert scene.run(learner.pin(scene.tenant.id, 7, "operator")) == []
    assert scene.run(learner.pin(scene.tenant.id, 1, "operator")) == [scene.tenant.id]
    assert scene.claimed("next").grounds.learned_version == 1
    scene.judge(scene.answered(), 0.0)
    scene.learn()
    assert (scene.version(), scene.run(learner.standing(scene.tenant.id))[0].version) == (1, 4)
    assert scene.run(learner.unpin(scene.tenant.id, "operator")) == [scene.tenant.id]
    assert scene.run(learner.unpin(scene.tenant.id, "operator")) == []
    assert scene.claimed("next").grounds.learned_version == 4
    actions = [row["action"] for row in scene.rows("select action from audit_log where tenant_id = %s order by at, id")]
    assert actions[-2:] == ["learner.rolled_back", "learner.resumed"]


def test_only_the_last_versions_are_kept_and_the_one_that_counts(
    scene: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, "KEPT_VERSIONS", 2)
    for turn in range(5):
        scene.judge(scene.answered(), 1.0)
        scene.learn()
        if turn == 1:
            scene.run(learner.pin(scene.tenant.id, 1, "operator"))
    kept = [(one.version, one.counts) for one in scene.run(learner.history(scene.tenant.id))]
    assert kept == [(5, False), (4, False), (1, True)]


def test_a_reset_forgets_what_was_learned_and_not_the_versions(scene: Learning) -> None:
    job = scene.answered()
    scene.judge(job, 0.5)
    scene.learn()
    (held,) = scene.run(learner.claim(scene.tenant.id, 60))
    made = learn.made_of(held, *learn._read(scene.runtime, held), RANKS)
    scene.run(learner.reset(scene.tenant.id, "operator"))
    assert scene.run(learner.keep(held, made, 0)) == []  # who was at it then is shut out
    assert (scene.figures(), scene.version()) == ({}, 2)
    assert LearnedSolutions(scene.runtime.database).of(scene.tenant.id, 2) is None
    scene.judge(job, 1.0)  # of before: it is new to what begins now
    scene.learn()
    assert scene.figures() == {PLAIN: (1.0, {"question": [1, 1.0]})}
    assert [one.version for one in scene.run(learner.history(scene.tenant.id))] == [3, 1]
    assert scene.run(learner.pin(scene.tenant.id, 1, "operator")) == [scene.tenant.id]


def test_solutions_are_read_once_and_the_oldest_are_forgotten(scene: Learning) -> None:
    for _ in range(3):
        scene.judge(scene.answered(), 1.0)
        scene.learn()
    database = Counting(scene.runtime.database)
    solutions = LearnedSolutions(database, size=2)  # type: ignore[arg-type]
    for version in (1, 2, 1, 2, 2):
        assert solutions.of(scene.tenant.id, version) is not None
    assert database.statements == 2
    solutions.of(scene.tenant.id, 3)
    assert solutions.of(uuid4(), 3) is None
    solutions.of(scene.tenant.id, 1)
    assert database.statements == 5


class Counting:
    """Of the statements that go to a database."""

    def __init__(self, database: Any) -> None:
        self.statements, self._database = 0, database

    def run(self, scope: Scope, statement: Any) -> Any:
        self.statements += 1
        return self._database.run(scope, statement)


def test_a_solution_that_cannot_be_read_is_as_good_as_none(scene: Learning) -> None:
    scene.judge(scene.answered(), 1.0)
    scene.learn()
    scene.admin.execute("update learner_solutions set solution = 'x' where tenant_id = %s", (scene.tenant.id,))
    assert LearnedSolutions(scene.runtime.database).of(scene.tenant.id, 1) is None


def test_the_sweeper_rings_for_enough_outcomes_or_old_ones(scene: Learning) -> None:
    scene.admin.execute("update outcomes set learned_quality = quality, learned_source = source")  # of other tests
    sweeper = Sweeper(scene.runtime)

    def rung() -> int:
        scene.runtime.redis.delete(Queue.LEARN.value)
        sweeper._ring_for_learners()
        return int(scene.runtime.redis.llen(Queue.LEARN.value))

    for _ in range(ENOUGH_OUTCOMES - 1):
        scene.judge(scene.answered(), 1.0)
    assert rung() == 0
    scene.admin.execute(
        "update outcomes set observed_at = observed_at - interval '1 hour' where learned_quality is null"
    )
    assert rung() == 1
    scene.learn()
    assert rung() == 0
    for _ in range(ENOUGH_OUTCOMES):
        scene.judge(scene.answered(), 1.0)
    assert rung() == 0  # it has only just learned
    scene.admin.execute("update learners set due_at = now() where tenant_id = %s", (scene.tenant.id,))
    assert rung() == 1
    scene.run(learner.claim(scene.tenant.id, 60))
    assert rung() == 0  # somebody is at it
