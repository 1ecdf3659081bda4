"""The API as its users meet it: real uvicorn servers on the loopback. No worker runs; tests play the workers."""

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import numpy as np
import psycopg
import pytest
import redis
import uvicorn
from api.project import Project, publishing
from builders import ending_of, passed, unit_vector
from conftest import Postgres, Tenant
from fastapi import FastAPI
from keys import ENCRYPTION_KEYS
from starlette.types import ASGIApp

from aico.api.app import create_app
from aico.core.jobs import JobStatus
from aico.core.settings import Settings
from aico.embedded.ports import LOOPBACK
from aico.store import claims, embeddings
from aico.store.blocking import Database
from aico.store.claims import Ending
from aico.store.scope import Scope
from aico.workers.queue import DONE_CHANNEL

OWN_REDIS_DATABASE = "7"  # no other test's workers take these messages
DEAD_PORT = 9  # "discard": nothing listens there
PROBLEM = "application/problem+json"
_PATIENCE_SECONDS = 20
_TLS = ssl.create_default_context()  # shared: reading the certificates takes longer than most tests

Connect = Callable[..., httpx2.Client]


@contextmanager
def serving(settings: Settings, make: Callable[[Settings], FastAPI] = create_app) -> Iterator[str]:
    """A server of its own for these settings; the address at which it answers."""
    with serving_app(lambda _: make(settings)) as url:
        yield url


@contextmanager
def serving_app(make: Callable[[str], ASGIApp], *, port: int = 0, **options: Any) -> Iterator[str]:
    """Likewise for an application that is told its address. `options` are uvicorn's."""
    with socket.create_server((LOOPBACK, port)) as listening:
        url = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        server = uvicorn.Server(
            uvicorn.Config(make(url), loop="uvloop", http="httptools", log_config=None, access_log=False, **options)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive())
            assert server.started
            yield url
        finally:
            server.should_exit = True
            thread.join()


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            pytest.fail("the condition was not met in time")
        time.sleep(0.01)


def assert_problem(response: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """RFC 9457 with the documented fields, and nothing but what they say."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == PROBLEM
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert body.keys() <= {"type", "title", "status", "detail", "code", "param", "errors"}
    assert body["status"] == status
    assert body["detail"]
    assert code is None or body["code"] == code
    return body


def assert_error(response: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """OpenAI's shape: all four keys, and nothing beside them."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert body.keys() == {"error"}
    error: dict[str, Any] = body["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["message"]
    assert error["type"]
    assert code is None or error["code"] == code
    return error


@pytest.fixture(scope="session")
def own_redis_url(redis_url: str) -> str:
    return f"{redis_url.rpartition('/')[0]}/{OWN_REDIS_DATABASE}"


@pytest.fixture(scope="session")
def base_settings(postgres: Postgres, own_redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The local model alone is switched on, whatever the environment says."""
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=postgres.url,
        redis_url=own_redis_url,  # type: ignore[arg-type]
        state_dir=tmp_path_factory.mktemp("state"),
        dashboard_dir=Path("not built"),
        local_model_url=f"http://{LOOPBACK}:{DEAD_PORT}/v1",
        simulated_model_url=None,
        google_api_key=None,
        anthropic_api_key=None,
        openrouter_api_key=None,
        cerebras_api_key=None,
        openai_api_key=None,
        openai_compatible_url=None,
        stripe_api_key=None,
        supabase_url=None,
        supabase_jwt_secret=None,
        api_key_cache_seconds=0,
        encryption_keys=ENCRYPTION_KEYS,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def service(base_settings: Settings) -> Iterator[str]:
    with serving(base_settings) as url:
        yield url


@pytest.fixture(scope="session")
def able_service(base_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """With a catalogue whose only other model can do everything."""
    catalogue = tmp_path_factory.mktemp("able") / "models.toml"
    catalogue.write_text(
        '[[models]]\nid = "able"\nprovider = "local"\nprovider_model = "able"\nquality = 0.9\ncontext_window = 100000\n'
        'max_output = 4000\ncapabilities = ["json", "schema", "vision", "tools", "choices", "logprobs", "sampling"]\n'
        '[[prices]]\nprovider = "local"\nmodel = "able"\nfrom = 2020-01-01\ninput = 1\noutput = 10\n'
    )
    with serving(base_settings.model_copy(update={"catalogue_file": catalogue})) as url:
        yield url


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A client of a server, with or without a credential."""
    with ExitStack() as clients:

        def make(url: str, credential: str | None = None, **headers: str) -> httpx2.Client:
            sent = {"Authorization": f"Bearer {credential}"} if credential else {}
            client = httpx2.Client(base_url=url, headers={**sent, **headers}, timeout=_PATIENCE_SECONDS, verify=_TLS)
            return clients.enter_context(client)

        yield make


@pytest.fixture
def api(connect: Connect, service: str, tenant: Tenant) -> httpx2.Client:
    return connect(service, tenant.key)


@pytest.fixture(scope="session")
def broker(own_redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(own_redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture(scope="session")
def admin(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """The superuser's, who sees every tenant's rows."""
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        yield connection


@dataclass(frozen=True)
class Rows:
    admin: psycopg.Connection[Any]

    def jobs(self, tenant: UUID) -> int:
        return self._count("select count(*) from public.jobs where tenant_id = %s", tenant)

    def events(self, tenant: UUID) -> int:
        return self._count("select count(*) from public.ledger_outbox where tenant_id = %s", tenant)

    def _count(self, query: str, tenant: UUID) -> int:
        row = self.admin.execute(query.encode(), (tenant,)).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def rows(admin: psycopg.Connection[Any]) -> Rows:
    return Rows(admin)


@dataclass(frozen=True)
class Workers:
    """What embed, route and finish do to a job, without their processes."""

    database: Database
    broker: redis.Redis

    def end(self, tenant: UUID, job: UUID, *, announce: bool = True) -> None:
        """The whole way to a kept answer."""
        (held,) = self._claim(tenant, job)
        self._finish(tenant, ending_of(held), announce=announce)

    def fail(self, tenant: UUID, job: UUID) -> None:
        (held,) = self._claim(tenant, job)
        self._finish(tenant, Ending(job, held.fence, JobStatus.FAILED), announce=True)

    def listeners(self) -> int:
        """How many services have subscribed to the ends of jobs."""
        return int(dict(self.broker.pubsub_numsub(DONE_CHANNEL))[DONE_CHANNEL])

    def _claim(self, tenant: UUID, job: UUID) -> list[claims.Claim]:
        scope = Scope.tenant(tenant)
        found = self.database.run(scope, embeddings.to_embed(tenant, [job], 0.95))
        if found:
            vectors = np.stack([unit_vector(1)])
            assert self.database.run(scope, embeddings.advance(tenant, passed(found, vectors), "variant"))
        return self.database.run(scope, claims.claim(tenant, job, 30))

    def _finish(self, tenant: UUID, ending: Ending, *, announce: bool) -> None:
        ended = self.database.run(Scope.tenant(tenant), claims.finish(tenant, [ending], 3600))
        assert [job.id for job in ended] == [ending.id]
        if announce:
            self.broker.publish(DONE_CHANNEL, str(ending.id))


@pytest.fixture
def workers(database: Database, broker: redis.Redis) -> Workers:
    return Workers(database, broker)


Rung = Callable[[UUID], list[str]]


@pytest.fixture
def rung(broker: redis.Redis) -> Rung:
    """The queues whose lists hold a message for this job."""

    def find(job: UUID) -> list[str]:
        names = ("embed", "interactive", "standard", "batch", "record", "learn")
        return [name for name in names for text in broker.lrange(name, 0, -1) if str(job) in _arguments(text)]

    return find


def _arguments(message: str | bytes) -> list[str]:
    body = json.loads(base64.b64decode(json.loads(message)["body"]))
    arguments: list[str] = body[0]
    return arguments


@pytest.fixture(scope="session")
def signing() -> Iterator[Project]:
    """A Supabase project whose users may sign in."""
    with publishing() as project:
        yield project


@pytest.fixture(scope="session")
def signed_service(base_settings: Settings, signing: Project) -> Iterator[str]:
    """Trusts that project's keys, and lets users have tenants of their own."""
    with serving(base_settings.model_copy(update={"supabase_url": signing.url})) as url:
        yield url
