"""OpenAI's own client against a service, and a worker that answers as a stream."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import httpx2
import numpy as np
import redis
from api.conftest import wait_until
from builders import ending_of, passed, unit_vector
from openai import OpenAI

from aico.core.jobs import JobError, JobStatus, Stage
from aico.store import claims, embeddings, jobs
from aico.store.blocking import Database
from aico.store.claims import Claim, Ending
from aico.store.scope import Scope
from aico.workers import said
from aico.workers.queue import DONE_CHANNEL
from aico.workers.said import Piece


def client(url: str, key: str, *, max_retries: int = 0) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=max_retries, timeout=20)


@dataclass
class StreamingWorker:
    """What a route worker does to the next job of a tenant, step by step."""

    database: Database
    broker: redis.Redis
    tenant: UUID

    def newest(self) -> UUID:
        found: list[UUID] = []

        def there() -> bool:
            page = jobs.page(self.tenant, after=None, status=None, limit=1)
            found[:] = [job.id for job in self.database.run(self._scope, page) if not job.status.final]
            return bool(found)

        wait_until(there)
        return found[0]

    def claim(self, job: UUID) -> Claim:
        (now,) = self.database.run(self._scope, jobs.get(self.tenant, job))
        if now.stage is Stage.EMBED:
            found = self.database.run(self._scope, embeddings.to_embed(self.tenant, [job], 0.95))
            vectors = np.stack([unit_vector(1)])
            assert self.database.run(self._scope, embeddings.advance(self.tenant, passed(found, vectors), "variant"))
        (held,) = self.database.run(self._scope, claims.claim(self.tenant, job, 30))
        return held

    def say(self, held: Claim, start: int, text: str, *, kept: bool = True, published: bool = True) -> None:
        piece = Piece(held.fence - 1, start, text)
        if kept:
            self.broker.append(said.key(held.id, piece.generation), text)
        if published:
            self.broker.publish(said.channel(held.id), piece.encoded())

    def end(self, held: Claim, text: str, **changes: object) -> None:
        ending = ending_of(held, text=text)
        assert ending.answer is not None
        self.finish(replace(ending, answer=ending.answer.model_copy(update=changes)))

    def abandon(self, held: Claim) -> None:
        """As if the worker had died: its lease has run out."""
        assert self.database.run(self._scope, claims.renew([held], -1)) == [held.key]

    def fail(self, held: Claim, code: str, message: str = "no model answered") -> None:
        error = JobError(code=code, message=message)
        self.finish(Ending(held.id, held.fence, JobStatus.FAILED, error=error))

    def finish(self, ending: Ending) -> None:
        ended = self.database.run(self._scope, claims.finish(self.tenant, [ending], 3600))
        assert ended
        self.broker.publish(DONE_CHANNEL, ",".join(str(job.id) for job in ended))

    def listened(self, job: UUID) -> bool:
        return bool(dict(self.broker.pubsub_numsub(said.channel(job)))[said.channel(job)])

    @property
    def _scope(self) -> Scope:
        return Scope.tenant(self.tenant)


@contextmanager
def working(work: Callable[[], object]) -> Iterator[None]:
    """`work` in a thread beside the test, whose failure is the test's."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if failures:
        raise failures[0]


def raw_events(client: httpx2.Client, path: str, **params: object) -> list[dict[str, str]]:
    """A whole stream: each event's fields."""
    with client.stream("GET", path, params={name: str(value) for name, value in params.items()}) as response:
        response.raise_for_status()
        return parse_events(response.read().decode())


def parse_events(text: str) -> list[dict[str, str]]:
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
