"""About which answers the embed worker says that a model may be asked: the real database, decisions that are given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

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
    """One decision about whatever is nearest, and others about what comes after it."""

    why: Why
    score: float
    others: tuple[tuple[Why, float], ...] = ()

    def decisions(
        self, question: str, candidates: Sequence[Candidate], known: Known, guards: GuardPolicy
    ) -> Iterator[Decision]:
        del question, known, guards
        comparison = Verifier(WordVectors.bundled()).compare("a", "b", 0.9)
        for place, (why, score) in enumerate(((self.why, self.score), *self.others)[: len(candidates)]):
            yield Decision(place, why, score, (1.0, float(place), 0.0, 0.0, 0.0), comparison)


def noted(doubt: Doubt, why: Why, score: float, state: str = "serving") -> float | None:
    """The probability that a job was handed on with."""
    row = looked_at(doubt, Decided(why, score), state)
    assert row["near_entry"] == doubt.entry
    probability: float | None = row["near_probability"]
    return probability


def looked_at(doubt: Doubt, decider: Decider, state: str = "serving") -> dict[str, Any]:
    """The row of a job that missed."""
    scene, tenant = doubt.cache.scene, doubt.cache.tenant.id
    job = new_job(DOUBTFUL)
    scene.admin.execute(
        "insert into cache_namespaces (tenant_id, namespace, state) values (%s, %s, %s)"
        " on conflict (tenant_id, namespace) do update set state = excluded.state",
        (tenant, job.key.namespace, state),
    )
    doubt.cache.run(jobs.submit(tenant, [job]))
    found = doubt.cache.run(embeddings.to_embed(tenant, [job.id], 0.5))
    looked = Lookup(scene.runtime, decider, VARIANT).look(tenant, found, [unit_vector(1)], 0.0)
    doubt.cache.run(embeddings.advance(tenant, looked.passed, VARIANT))
    (row,) = doubt.cache.rows("select near_entry, near_probability, near_others from jobs where id = %s", job.id)
    return row


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


def test_what_else_is_in_doubt_is_noted_by_how_likely_it_is(in_doubt: Begin) -> None:
    """Not what a guard forbids, nor what is more likely wrong; with all by which it was decided."""
    doubt = in_doubt()
    for place in range(4):
        doubt.cache.keep(f"Which city governs Italy, part {place}?", f"Rome {place}.")
    others = ((Why.SCORE, 0.1), (Why.GUARDED, 3.0), (Why.SERVED, 1.0), (Why.SCORE, -0.1))
    row = looked_at(doubt, Decided(Why.SCORE, 0.5, others))
    noted = row["near_others"]
    assert [(one["score"], one["features"]) for one in noted] == [
        (1.0, [1.0, 3.0, 0.0, 0.0, 0.0]),
        (0.1, [1.0, 1.0, 0.0, 0.0, 0.0]),
    ]
    assert [one["probability"] for one in noted] == pytest.approx([0.731, 0.525], abs=1e-3)
    assert row["near_entry"] not in {one["entry"] for one in noted}


def test_where_nobody_is_asked_nothing_else_is_noted(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.cache.keep("Which city governs Italy?", "Rome.")
    row = looked_at(doubt, Decided(Why.SCORE, -0.5, ((Why.SCORE, 1.0),)))
    assert (row["near_probability"], row["near_others"]) == (None, None)
