"""A real API and a batch worker for the command line, with hands that answer what the batches ask."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import redis
from builders import completed
from cli.live import Live
from structlog.testing import capture_logs

from aico.core.jobs import Job, JobError, JobStatus
from aico.core.settings import Settings
from aico.store import batch_steps, batches, claims, jobs
from aico.store.claims import Ending
from aico.store.scope import Scope
from aico.workers.batch import work_of
from aico.workers.batch_work import BatchWork
from aico.workers.runtime import Runtime

FAILING = "fails"  # in a prompt: nobody answers it


@dataclass
class Player:
    """Takes every batch's steps as soon as it can, and ends every job. `paused`: it does nothing."""

    live: Live
    work: BatchWork
    admin: psycopg.Connection[Any]
    paused: threading.Event = field(default_factory=threading.Event)
    answering: bool = True

    def play(self, stop: threading.Event) -> None:
        while not stop.wait(0.02):
            if self.paused.is_set():
                continue
            self.admin.execute("update batches set step_at = now() where tenant_id = %s", (self.live.tenant.id,))
            for (batch,) in self.admin.execute(
                "select id from batches where tenant_id = %s and finished_at is null", (self.live.tenant.id,)
            ).fetchall():
                self._step(batch)

    def _step(self, batch: UUID) -> None:
        for held in self._run(batch_steps.claim(self.live.tenant.id, batch, 60)):
            self.work.step(held)
        for job in self._run(jobs.page(self.live.tenant.id, after=None, status=JobStatus.QUEUED, limit=1000)):
            if self.answering:
                self._answer(job)

    def _answer(self, job: Job) -> None:
        (held,) = self._run(claims.claim(self.live.tenant.id, job.id, 30))
        prompt = held.request.messages[-1].text
        ending = completed(job.id, held.fence, text=prompt.upper(), keep=False)
        if FAILING in prompt:
            error = JobError(code="no_answer", message=f"nobody answers {prompt}")
            ending = Ending(job.id, held.fence, JobStatus.FAILED, error=error)
        self._run(claims.finish(self.live.tenant.id, [ending], 3600))

    def batches(self) -> list[batches.Batch]:
        return self._run(batches.page(self.live.tenant.id, after=None, limit=100))

    def jobs(self) -> list[Job]:
        """In the order in which they were stored."""
        return self._run(jobs.page(self.live.tenant.id, after=None, status=None, limit=1000))[::-1]

    def _run(self, statement: Any) -> list[Any]:
        return self.live.database.run(Scope.tenant(self.live.tenant.id), statement)


@contextmanager
def playing(live: Live, settings: Settings, admin_url: str) -> Iterator[Player]:
    client = redis.Redis.from_url(settings.redis_url.get_secret_value(), decode_responses=True)
    work = work_of(Runtime(settings, live.database, client))
    stop = threading.Event()
    with psycopg.connect(admin_url, autocommit=True) as admin, capture_logs():
        player = Player(live, work, admin)
        thread = threading.Thread(target=player.play, args=(stop,))
        thread.start()
        try:
            yield player
        finally:
            stop.set()
            thread.join()
            client.close()
