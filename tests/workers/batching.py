"""Batches without the API: a file in the database, a batch of it, and hands for what other workers would do."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import completed
from conftest import Postgres, Tenant
from psycopg.rows import dict_row

from aico.core.ids import new_id
from aico.core.jobs import Job, JobError, JobStatus
from aico.store import batch_steps, batches, claims, files, jobs
from aico.store.batch_steps import HeldBatch
from aico.store.batches import Batch, NewBatch
from aico.store.claims import Ending
from aico.store.files import CHUNK_BYTES, Purpose
from aico.store.scope import Scope
from aico.workers import batch as task
from aico.workers import batch_results, intake
from aico.workers.batch_work import BatchWork
from aico.workers.runtime import Runtime

ENDPOINT = "/v1/chat/completions"
Line = dict[str, Any]


def line(name: str, prompt: str = "", **body: Any) -> Line:
    """A request without the cache, unless it says otherwise: it stays open until a test ends it."""
    said = {"model": "auto", "messages": [{"role": "user", "content": prompt or name}], "aico": {"cache": "off"}}
    return {"custom_id": name, "method": "POST", "url": ENDPOINT, "body": {**said, **body}}


def jsonl(lines: Iterable[Line]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


@dataclass
class Scene:
    runtime: Runtime
    tenant: Tenant
    admin: psycopg.Connection[dict[str, Any]]
    work: BatchWork

    @property
    def scope(self) -> Scope:
        return Scope.tenant(self.tenant.id)

    def run(self, statement: Any) -> list[Any]:
        return self.runtime.database.run(self.scope, statement)

    def file(self, content: bytes, chunk: int = CHUNK_BYTES) -> UUID:
        file = new_id()
        self.run(files.begin(self.tenant.id, file, "in.jsonl", Purpose.BATCH))
        for start in range(0, len(content), chunk):
            self.run(files.append(self.tenant.id, file, start, content[start : start + chunk]))
        assert self.run(files.complete(self.tenant.id, file, len(content), 3600))
        return file

    def batch(
        self,
        content: bytes | Sequence[Line],
        *,
        seconds: float = 86_400,
        chunk: int = CHUNK_BYTES,
        endpoint: str = ENDPOINT,
    ) -> UUID:
        new = NewBatch(
            id=new_id(),
            api_key_id=None,
            endpoint=endpoint,
            window="24h",
            window_seconds=seconds,
            output_ttl_seconds=3600,
            input_file=self.file(content if isinstance(content, bytes) else jsonl(content), chunk),
            metadata={"team": "a"},
        )
        assert self.run(batches.create(self.tenant.id, new)) == [new.id]
        return new.id

    def see(self, batch: UUID) -> Batch:
        found: Batch = self.run(batches.get(self.tenant.id, batch))[0]
        return found

    def claim(self, batch: UUID) -> HeldBatch:
        """As if its next step were due and nobody held it."""
        self.sql("update batches set step_at = now(), lease_until = null where id = %(b)s", b=batch)
        held: HeldBatch = self.run(batch_steps.claim(self.tenant.id, batch, 60))[0]
        return held

    def step(self, batch: UUID) -> Batch:
        """One step through the task itself, as if it were due and nobody held it."""
        self.sql("update batches set step_at = now(), lease_until = null where id = %(b)s", b=batch)
        task.batch.run(str(self.tenant.id), str(batch))
        return self.see(batch)

    def taken_in(self, content: bytes | Sequence[Line], **options: Any) -> UUID:
        """A batch of which every line has a job or a fault."""
        batch = self.batch(content, **options)
        assert self.step(batch).status.value == "in_progress"
        self.step(batch)
        return batch

    def finish(self, batch: UUID) -> Batch:
        """All the steps that are left, at most ten."""
        for _ in range(10):
            if self.step(batch).status.final:
                break
        return self.see(batch)

    def jobs(self, batch: UUID) -> list[Job]:
        """In line order."""
        rows = self.sql("select id from jobs where batch_id = %(b)s order by batch_line", b=batch)
        return [self.run(jobs.get(self.tenant.id, row["id"]))[0] for row in rows]

    def answer(self, job: Job, text: str = "Paris.") -> None:
        self._end(completed(job.id, self._claim(job), text=text, keep=False))

    def fail(self, job: Job, code: str = "no_answer") -> None:
        error = JobError(code=code, message="nobody answered")
        self._end(Ending(job.id, self._claim(job), JobStatus.FAILED, error=error))

    def _claim(self, job: Job) -> int:
        (held,) = self.run(claims.claim(self.tenant.id, job.id, 30))
        return int(held.fence)

    def _end(self, ending: Ending) -> None:
        assert self.run(claims.finish(self.tenant.id, [ending], 3600))

    def content(self, file: UUID | None) -> list[Line]:
        """The lines of a file of results; none where there is no file."""
        if file is None:
            return []
        (size,) = [found.bytes for found in self.run(files.get(self.tenant.id, file))]
        data = b""
        while len(data) < size:
            data += self.run(files.chunk(self.tenant.id, file, len(data)))[0]
        assert len(data) == size
        return [json.loads(text) for text in data.splitlines()]

    def sql(self, query: str, **values: Any) -> list[dict[str, Any]]:
        cursor = self.admin.execute(query.encode(), values)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def scene(runtime: Runtime, tenant: Tenant, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Pages are small, so that a few lines fill several."""
    monkeypatch.setattr(intake, "PAGE_LINES", 3)
    monkeypatch.setattr(batch_results, "PAGE_LINES", 3)
    work = task.work_of(runtime)
    monkeypatch.setattr(task, "get_runtime", lambda: runtime)
    monkeypatch.setattr(task, "work", lambda: work)
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as admin:
        yield Scene(runtime, tenant, admin, work)


def with_limit(scene: Scene, limit: int) -> Callable[[UUID], Batch]:
    """Steps of a worker whose lines may have `limit` bytes."""
    settings = scene.runtime.settings.model_copy(update={"max_body_bytes": limit})
    work = task.work_of(replace(scene.runtime, settings=settings))

    def step(batch: UUID) -> Batch:
        work.step(scene.claim(batch))
        return scene.see(batch)

    return step
