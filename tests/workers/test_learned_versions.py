"""Versions of what was learned: which one counts, how long they are kept, and when the next is due."""

from typing import Any
from uuid import uuid4

import pytest
from workers.learning import PLAIN, RANKS, Learning, scene, scenes

from aico.store import learner
from aico.store.scope import Scope
from aico.workers import learn
from aico.workers.learned import LearnedSolutions
from aico.workers.queue import Queue
from aico.workers.sweep import ENOUGH_OUTCOMES, Sweeper

__all__ = ["scene", "scenes"]


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
    scene.admin.execute("update cache_namespaces set computed = verdicts")  # likewise: that queue has their bells too
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
