"""A cache that is in doubt about an answer, a model whose calls are dear, and a judge who costs little."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from builders import new_job, passed, unit_vector
from conftest import Tenant
from workers.auditing import VARIANT, Cache
from workers.catalogues import catalogue
from workers.comparing import JUDGE, LARGE, SMALL, Play

from aico.core.jobs import Job
from aico.store import embeddings, jobs
from aico.store.jobs import NewJob

QUESTION, DOUBTFUL, KEPT = "What is the capital of France?", "Which city governs France?", "The capital is Paris."
JUDGED = Decimal("0.0075")  # cents: 150 tokens at the judge's price


def priced(judge: float = 0.5) -> str:
    models = [(SMALL, 0.5, 1), (LARGE, 0.7, 500), (JUDGE, 0.9, judge)]
    return catalogue(models, provider="openai_compatible", capabilities=["json", "schema", "sampling"])


@dataclass
class Doubt:
    """One tenant's cache, with an entry of `QUESTION`."""

    cache: Cache
    entry: UUID

    def job(self, prompt: str = DOUBTFUL, *, near: UUID | None = None, probability: float = 0.8, **how: Any) -> NewJob:
        """A job that missed, about which the cache was in doubt; `model` answers it else."""
        model, tenant = how.pop("model", LARGE), self.cache.tenant.id
        job = new_job(prompt, **how)
        job.request["model"] = model
        self.cache.run(jobs.submit(tenant, [job]))
        found = self.cache.run(embeddings.to_embed(tenant, [job.id], 0.95))
        doubted = [
            replace(one, near=near or self.entry, probability=probability) for one in passed(found, [unit_vector(1)])
        ]
        self.cache.run(embeddings.advance(tenant, doubted, VARIANT))
        return job

    def route(self, job: NewJob) -> Job:
        return self.cache.scene.route(self.cache.tenant, job)

    def asked(self) -> list[str]:
        """The models that were called."""
        return [body["model"] for body in self.cache.scene.server.bodies]

    def booked(self, job: NewJob) -> list[tuple[str, str, str, Any]]:
        return self.cache.scene.ledger(self.cache.tenant, job.id)

    def spent(self) -> Any:
        return self.cache.scene.day(self.cache.tenant)

    def says(self, verdict: str) -> None:
        self.cache.scene.server.judging = lambda _: verdict

    def checks(self, job: NewJob) -> list[dict[str, Any]]:
        return self.cache.rows("select * from cache_checks where job_id = %s", job.id)

    def change(self, what: str, job: NewJob, *values: Any) -> None:
        """Of a job's row."""
        self.cache.scene.admin.execute(f"update jobs set {what} where id = %s", (*values, job.id))  # noqa: S608


Begin = Callable[..., Doubt]


@pytest.fixture
def in_doubt(play: Play, tenant: Tenant, tmp_path: Path) -> Begin:
    def begin(*, judge: float = 0.5, of: Tenant = tenant, **changes: Any) -> Doubt:
        file = tmp_path / "grey.toml"
        file.write_text(priced(judge))
        cache = Cache(play(catalogue_file=file, **changes), of)
        return Doubt(cache, cache.keep(QUESTION, KEPT))

    return begin
