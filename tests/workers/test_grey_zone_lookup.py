"""About which answers the embed worker says that a model may be asked: the real database, decisions that are given."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from builders import new_job, unit_vector
from workers.asking import DOUBTFUL, Begin, Doubt, in_doubt
from workers.auditing import VARIANT, play

from aico.caching.deciding import Candidate, Decider, Decision, Known, Why
from aico.core.cache_policy import GuardPolicy
from aico.embedding_service.verification.comparison import Verifier
from aico.embedding_service.verification.vectors import WordVectors
from aico.store import embeddings, jobs
from aico.workers.lookup import Lookup

__all__ = ["in_doubt", "play"]


@dataclass
class Decided(Decider):
    """One decision about whatever is nearest."""

    why: Why
    score: float

    def decide(
        self, question: str, candidates: Sequence[Candidate], known: Known, guards: GuardPolicy
    ) -> Decision | None:
        del question, known, guards
        comparison = Verifier(WordVectors.bundled()).compare("a", "b", candidates[0].similarity)
        return Decision(0, self.why, self.score, (1.0, 0.0, 0.0, 0.0, 0.0), comparison)


def noted(doubt: Doubt, why: Why, score: float, state: str = "serving") -> float | None:
    """The probability that a job was handed on with."""
    scene, tenant = doubt.cache.scene, doubt.cache.tenant.id
    job = new_job(DOUBTFUL)
    scene.admin.execute(
        "insert into cache_namespaces (tenant_id, namespace, state) values (%s, %s, %s)"
        " on conflict (tenant_id, namespace) do update set state = excluded.state",
        (tenant, job.key.namespace, state),
    )
    doubt.cache.run(jobs.submit(tenant, [job]))
    found = doubt.cache.run(embeddings.to_embed(tenant, [job.id], 0.5))
    looked = Lookup(scene.runtime, Decided(why, score), VARIANT).look(tenant, found, [unit_vector(1)], 0.0)
    doubt.cache.run(embeddings.advance(tenant, looked.passed, VARIANT))
    (row,) = doubt.cache.rows("select near_entry, near_probability from jobs where id = %s", job.id)
    assert row["near_entry"] == doubt.entry
    probability: float | None = row["near_probability"]
    return probability


def test_of_an_answer_in_doubt_the_probability_is_noted_that_it_serves(in_doubt: Begin) -> None:
    assert noted(in_doubt(), Why.SCORE, float(np.log(4))) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("why", "score", "state"),
    [
        (Why.SCORE, -0.01, "serving"),
        (Why.GUARDED, 3.0, "serving"),
        (Why.STATE, 3.0, "probation"),
        (Why.SCORE, 1.0, "probation"),
        (Why.SCORE, 1.0, "suspended"),
    ],
)
def test_nobody_is_asked_about_what_is_improbable_or_guarded_or_where_nothing_is_served(
    in_doubt: Begin, why: Why, score: float, state: str
) -> None:
    assert noted(in_doubt(), why, score, state) is None


def test_nobody_is_asked_where_the_service_does_not_want_it(in_doubt: Begin) -> None:
    assert noted(in_doubt(cache_grey_zone=False), Why.SCORE, 1.0) is None


def test_a_new_namespace_may_ask_as_well(in_doubt: Begin) -> None:
    assert noted(in_doubt(), Why.SCORE, 1.0, "learning") is not None
