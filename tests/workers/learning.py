"""A tenant whose jobs are answered and judged, and the owner's view of what is learned of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from builders import ending_of, new_job, passed, unit_vector
from conftest import Postgres, Tenant
from psycopg.rows import dict_row

from aico.core.jobs import CacheMode
from aico.routing.features import extract_features
from aico.routing.learner.design import DESIGN
from aico.routing.learner.kept import kept
from aico.routing.learner.learned import Learned
from aico.store import claims, embeddings, jobs, learner, outcomes
from aico.store.claims import Claim
from aico.store.decisions import Decided
from aico.store.outcomes import Source
from aico.store.scope import Scope
from aico.workers import learn
from aico.workers.learned import LearnedSolutions
from aico.workers.runtime import Runtime

PLAIN, SUBTLE = "plain", "subtle"
RANKS = {PLAIN: 0.3, SUBTLE: 0.9}


def decided(claim: Claim, **changes: Any) -> Decided:
    """As complexity would choose between the two."""
    features = replace(extract_features(claim.request), vector=claim.grounds.vector)
    made = Decided(
        at=datetime.now(UTC),
        task=features.task.value,
        strategy="complexity",
        policy_version="complexity-1",
        learned_version=None,
        asked="auto",
        first_choice=PLAIN,
        score=0.1,
        confidence="high",
        propensity=1.0,
        chances={},
        expected={},
        cents={PLAIN: Decimal("0.1"), SUBTLE: Decimal(1)},
        design=DESIGN,
        features=kept(features),
        model=PLAIN,
        cost_cents=Decimal("0.12"),
    )
    return replace(made, **changes)


@dataclass
class Learning:
    runtime: Runtime
    tenant: Tenant
    admin: psycopg.Connection[dict[str, Any]]

    @property
    def scope(self) -> Scope:
        return Scope.tenant(self.tenant.id)

    def run(self, statement: Any) -> list[Any]:
        return self.runtime.database.run(self.scope, statement)

    def claimed(self, prompt: str, vector: int | None = None) -> Claim:
        """A job that a routing worker holds, and no other. `vector` seeds the one that the first hop gave it."""
        job = new_job(prompt, mode=CacheMode.OFF if vector is None else CacheMode.REFRESH)
        self.run(jobs.submit(self.tenant.id, [job]))
        if vector is not None:
            found = self.run(embeddings.to_embed(self.tenant.id, [job.id], 0.95))
            self.run(embeddings.advance(self.tenant.id, passed(found, np.stack([unit_vector(vector)])), "variant"))
        (held,) = self.run(claims.claim(self.tenant.id, job.id, 30))
        assert isinstance(held, Claim)
        return held

    def answered(self, prompt: str = "What is it?", vector: int | None = None, **changes: Any) -> UUID:
        held = self.claimed(prompt, vector)
        ending = replace(ending_of(held, keep=False), decided=decided(held, **changes))
        self.run(claims.finish(self.tenant.id, [ending], 60))
        return held.id

    def judge(self, job: UUID, quality: float, model: str = PLAIN, source: Source = Source.USER) -> None:
        """Whether or not it is `model` that answered; the fields of a job that was never decided do not matter."""
        self.run(outcomes.observe(self.tenant.id, job, model, quality, source))

    def learn(self) -> None:
        learn.work_on(self.runtime, self.tenant.id, RANKS)

    def rows(self, query: str) -> Sequence[dict[str, Any]]:
        return self.admin.execute(query, (self.tenant.id,)).fetchall()

    def figures(self) -> dict[str, tuple[float, dict[str, list[float]]]]:
        """By model: labels, and outcomes with the sum of their qualities by task."""
        rows = self.rows("select model, labels, tasks from learner_statistics where tenant_id = %s")
        return {row["model"]: (round(row["labels"], 2), row["tasks"]) for row in rows}

    def version(self) -> int:
        found = self.run(learner.version(self.tenant.id))
        return found[0] if found else 0

    def unlearned(self) -> int:
        query = "select count(*) from outcomes where tenant_id = %s and to_learn"
        return int(self.rows(query)[0]["count"])


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
