"""A cache that is in doubt about an answer, a model whose calls are dear, and a judge who costs little."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from builders import new_job, passed, unit_vector
from conftest import Tenant
from workers.auditing import SAME, VARIANT, Cache
from workers.catalogues import catalogue
from workers.comparing import JUDGE, LARGE, SMALL, Play

from aico.core.jobs import Job
from aico.store import embeddings, jobs
from aico.store.embeddings import Doubt as Doubted
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

    def job(
        self,
        prompt: str = DOUBTFUL,
        *,
        near: UUID | None = None,
        probability: float = 0.8,
        others: Iterable[UUID] = (),
        **how: Any,
    ) -> NewJob:
        """A job that missed, about which the cache was in doubt; `model` answers it else.

        Of `others` each is as likely to serve.
        """
        model, tenant = how.pop("model", LARGE), self.cache.tenant.id
        job = new_job(prompt, **how)
        job.request["model"] = model
        self.cache.run(jobs.submit(tenant, [job]))
        found = self.cache.run(embeddings.to_embed(tenant, [job.id], 0.95))
        besides = tuple(Doubted(entry, probability, 1.5, (2.0, 0.0, 0.0, 0.0, 0.0)) for entry in others)
        doubted = [
            replace(one, near=near or self.entry, probability=probability, others=besides)
            for one in passed(found, [unit_vector(1)])
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
        """Of each candidate, where the judge is asked about some."""
        self.cache.scene.server.judging = lambda document: of_each(verdict, document.get("candidates", ()))

    def says_of_each(self, *verdicts: str) -> None:
        """In the order of the candidates."""
        said = {str(number): json.loads(verdict) for number, verdict in enumerate(verdicts, start=1)}
        self.cache.scene.server.judging = lambda _: json.dumps(said)

    def checks(self, job: NewJob) -> list[dict[str, Any]]:
        return self.cache.rows("select * from cache_checks where job_id = %s", job.id)

    def change(self, what: str, job: NewJob, *values: Any) -> None:
        """Of a job's row."""
        self.cache.scene.admin.execute(f"update jobs set {what} where id = %s", (*values, job.id))  # noqa: S608


def of_each(verdict: str, candidates: Iterable[str]) -> str:
    """The same of all, as a judge says it; what is no JSON is said as it is."""
    names = list(candidates)
    try:
        return json.dumps({name: json.loads(verdict) for name in names}) if names else verdict
    except ValueError:
        return verdict


SERVES = of_each(SAME, "1")

Begin = Callable[..., Doubt]


@pytest.fixture
def in_doubt(play: Play, tenant: Tenant, tmp_path: Path) -> Begin:
    def begin(*, judge: float = 0.5, of: Tenant = tenant, **changes: Any) -> Doubt:
        file = tmp_path / "grey.toml"
        file.write_text(priced(judge))
        cache = Cache(play(catalogue_file=file, **changes), of)
        return Doubt(cache, cache.keep(QUESTION, KEPT))

    return begin
