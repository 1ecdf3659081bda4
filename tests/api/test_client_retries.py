"""How often OpenAI's client sends a request, counted at the service."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
import redis
from api.conftest import DEAD_PORT, serving
from api.talking import StreamingWorker, client, working
from conftest import Tenant
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from aico.api.app import create_app
from aico.core.settings import Settings
from aico.embedded.ports import LOOPBACK
from aico.store.blocking import Database

QUESTION: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]
RETRIES = 1


@contextmanager
def counted(settings: Settings) -> Iterator[tuple[str, Counter[str]]]:
    """A service, and how often each path was asked for."""
    seen: Counter[str] = Counter()

    class Counting:
        def __init__(self, app: ASGIApp) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                seen[scope["path"]] += 1
            await self._app(scope, receive, send)

    def make(given: Settings) -> FastAPI:
        app = create_app(given)
        app.add_middleware(Counting)
        return app

    with serving(settings, make) as url:
        yield url, seen


def ask(url: str, key: str, **fields: Any) -> None:
    asked: dict[str, Any] = {"model": "auto", "messages": QUESTION, **fields}
    client(url, key, max_retries=RETRIES).chat.completions.create(**asked)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"model": "gpt-0"}, openai.NotFoundError),
        ({"temperature": 9}, openai.BadRequestError),
        ({"extra_body": {"aico": {"max_cost_cents": 1e-9}}}, openai.APIStatusError),
        ({"extra_headers": {"Authorization": "Bearer aico_live_nobody"}}, openai.AuthenticationError),
    ],
)
def test_what_cannot_succeed_is_sent_once(
    base_settings: Settings, tenant: Tenant, fields: dict[str, Any], error: type[openai.APIStatusError]
) -> None:
    with counted(base_settings) as (url, seen):
        with pytest.raises(error):
            ask(url, tenant.key, **fields)
        assert seen["/v1/chat/completions"] == 1


def test_what_a_dependency_prevents_is_sent_again(base_settings: Settings, tenant: Tenant) -> None:
    dead = f"postgresql://nobody@{LOOPBACK}:{DEAD_PORT}/nothing?connect_timeout=1"
    with counted(base_settings.model_copy(update={"database_url": dead})) as (url, seen):
        with pytest.raises(openai.InternalServerError) as caught:
            ask(url, tenant.key)
        assert caught.value.status_code == 503
        assert caught.value.response.headers["Retry-After"] == "1"
        assert seen["/v1/chat/completions"] == 1 + RETRIES


@pytest.mark.parametrize("end", ["fail", "cancel", "late"])
def test_a_job_that_ended_badly_or_is_late_is_not_made_again(
    base_settings: Settings, tenant: Tenant, database: Database, broker: redis.Redis, end: str
) -> None:
    worker = StreamingWorker(database, broker, tenant.id)
    ways: dict[str, Callable[[], object]] = {
        "fail": lambda: worker.fail(worker.claim(worker.newest()), "all_candidates_failed"),
        "cancel": lambda: client_cancels(url, tenant.key, worker),
        "late": worker.newest,
    }
    hurried = base_settings.model_copy(update={"sync_wait_seconds": 1.0 if end == "late" else 60.0})
    with counted(hurried) as (url, seen):
        with working(ways[end]), pytest.raises(openai.APIStatusError) as caught:
            ask(url, tenant.key)
        assert caught.value.status_code == {"fail": 502, "cancel": 409, "late": 504}[end]
        assert seen["/v1/chat/completions"] == 1


def client_cancels(url: str, key: str, worker: StreamingWorker) -> None:
    asking = client(url, key)
    asking.post(f"/jobs/{worker.newest()}/cancel", cast_to=object)
