"""A route worker with two priced models and a judge on one local server, which answers by the model that is asked."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import new_job
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from workers.catalogues import catalogue
from workers.provider_server import Server, serving

from aico.core.jobs import CacheMode, Job
from aico.core.settings import Settings
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store import jobs, ledger
from aico.store.jobs import NewJob
from aico.store.outcomes import Source
from aico.store.scope import Scope
from aico.workers import compare, route
from aico.workers.comparer import Comparer
from aico.workers.grey_zone import Asker
from aico.workers.leases import Leases
from aico.workers.router import Router
from aico.workers.runtime import Runtime

SMALL, LARGE, JUDGE = "small-one", "large-one", "judge-one"  # a rank each, the first answers what is simple
SAID = {SMALL: "Paris.", LARGE: "It is Paris, on the Seine."}
CATALOGUE = catalogue(
    [(SMALL, 0.5, 1), (LARGE, 0.7, 2), (JUDGE, 0.9, 4)],
    provider="openai_compatible",
    capabilities=["json", "schema", "sampling"],
)

Judging = Callable[[dict[str, str]], str]  # of the answers by place, what the judge says


def prefers(words: str) -> Judging:
    """A judge that finds the answer with these words, wherever it stands."""
    return lambda answers: verdict("A" if words in answers["A"] else "B")


def verdict(place: str) -> str:
    return json.dumps({"reason": "because", "verdict": place})


@dataclass
class Panel(Server):
    """Answers as the model that is asked; the judge by `judging`."""

    judging: Judging = field(default_factory=lambda: prefers(SAID[LARGE]))
    status: dict[str, int] = field(default_factory=dict)  # by model, where it is not 200
    finish: str = "stop"  # of all but the judge

    def reply(self, key: str | None) -> tuple[int, dict[str, Any]]:
        asked = self.bodies[-1]
        model = asked["model"]
        text = self.judging(shown(asked)) if model == JUDGE else SAID.get(model, "?")
        self.replies = [(self.status.get(model, 200), text, "stop" if model == JUDGE else self.finish)]
        return super().reply(key)

    def asked_of(self, model: str) -> list[dict[str, Any]]:
        return [body for body in self.bodies if body["model"] == model]


def shown(body: dict[str, Any]) -> dict[str, str]:
    """The answers in what a judge was sent: by their places, or of an audit by what they are."""
    document = judged(body)
    answers: dict[str, str] = document.get("answers", document)
    return answers


def judged(body: dict[str, Any]) -> dict[str, Any]:
    """The document that a judge was sent."""
    document: dict[str, Any] = json.loads(body["messages"][-1]["content"])
    return document


def configured(settings: Settings, server: Server, folder: Path, **changes: Any) -> Settings:
    file = folder / "catalogue.toml"
    file.write_text(CATALOGUE)
    update = {
        "local_model_url": None,
        "openai_compatible_url": server.url,
        "catalogue_file": file,
        "judge_model": JUDGE,
        "shadow_rate": 1.0,
        "retry_base_seconds": 0.01,
        **changes,
    }
    return settings.model_copy(update=update)


@dataclass
class Scene:
    runtime: Runtime
    server: Panel
    admin: psycopg.Connection[dict[str, Any]]
    router: Router
    comparer: Comparer
    asker: Asker

    @classmethod
    def of(cls, runtime: Runtime, server: Panel, admin: psycopg.Connection[dict[str, Any]]) -> "Scene":
        """`runtime` has the settings already."""
        comparer = Comparer(runtime.settings)
        router = Router(runtime.settings, ComplexityStrategy())
        return cls(runtime, server, admin, router, comparer, Asker(runtime, comparer))

    def close(self) -> None:
        self.router.close()
        self.comparer.close()

    def answered(self, tenant: Tenant, prompt: str = "What is the capital of France?", **changes: Any) -> Job:
        return self.route(tenant, self.submitted(tenant, prompt, **changes))

    def submitted(self, tenant: Tenant, prompt: str, **changes: Any) -> NewJob:
        job = new_job(prompt, mode=CacheMode.OFF)
        job.request.update(changes)
        self.run(tenant, jobs.submit(tenant.id, [job]))
        return job

    def route(self, tenant: Tenant, job: NewJob) -> Job:
        route.route.run(str(tenant.id), str(job.id))
        (ended,) = self.run(tenant, jobs.get(tenant.id, job.id))
        return Job.model_validate(ended)

    def compare(self, tenant: Tenant, job: UUID) -> dict[str, Any]:
        """One visit of a worker, and the pair after it."""
        compare.work_on(self.runtime, self.comparer, tenant.id, job)
        return self.pair(job)

    def pair(self, job: UUID) -> dict[str, Any]:
        (row,) = self.pairs("job_id = %s", job)
        return row

    def pairs(self, condition: str, value: UUID) -> list[dict[str, Any]]:
        query = f"select * from shadow_pairs where {condition}"  # noqa: S608 - conditions of tests
        return self.admin.execute(query, (value,)).fetchall()

    def due(self, job: UUID) -> None:
        self.admin.execute("update shadow_pairs set step_at = now(), lease_until = null where job_id = %s", (job,))

    def outcomes(self, job: UUID) -> dict[str, tuple[float, Source]]:
        query = "select model, quality, source from outcomes where job_id = %s"
        return {row["model"]: (row["quality"], row["source"]) for row in self.admin.execute(query, (job,))}

    def ledger(self, tenant: Tenant, job: UUID) -> list[tuple[str, str, str, Any]]:
        """What was booked of a job: kind, model, outcome and cents."""
        self.run(tenant, ledger.book([tenant.id], [job]))
        query = "select kind, model, outcome, cost_cents from ledger_attempts where job_id = %s order by at, id"
        return [tuple(row.values()) for row in self.admin.execute(query, (job,))]

    def day(self, tenant: Tenant) -> Any:
        row = self.admin.execute(
            "select cents + held_cents as cents from judge_days where tenant_id = %s", (tenant.id,)
        ).fetchone()
        return None if row is None else row["cents"]

    def run(self, tenant: Tenant, statement: Any) -> list[Any]:
        return self.runtime.database.run(Scope.tenant(tenant.id), statement)


Play = Callable[..., Scene]


@pytest.fixture
def play(runtime: Runtime, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Play]:
    """A worker on a server of its own; each job is drawn."""
    held = Leases(runtime)
    held.start()
    scenes: list[Scene] = []
    server = Panel()
    with (
        serving(server),
        psycopg.connect(postgres.admin_url, autocommit=True, row_factory=dict_row) as admin,
    ):
        admin.execute("delete from private.judge_days")

        def make(**changes: Any) -> Scene:
            settings = configured(runtime.settings, server, tmp_path, **changes)
            scene = Scene.of(replace(runtime, settings=settings), server, admin)
            scenes.append(scene)
            monkeypatch.setattr(route, "get_runtime", lambda: scene.runtime)
            monkeypatch.setattr(route, "router", lambda: scene.router)
            monkeypatch.setattr(route, "leases", lambda: held)
            monkeypatch.setattr(route, "asker", lambda: scene.asker)
            return scene

        yield make
        held.stop()
        for scene in scenes:
            scene.close()
