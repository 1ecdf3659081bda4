"""The MCP server as assistants meet it: the official client, over HTTP and over stdio, against the real API."""

import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from api.conftest import (  # noqa: F401 - fixtures
    Workers,
    admin,
    base_settings,
    broker,
    connect,
    own_redis_url,
    rows,
    serving,
    workers,
)
from conftest import Tenant
from fastapi import FastAPI
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent
from pydantic import SecretStr

from aico.api.app import create_app
from aico.cli.mcp_mount import mount_mcp
from aico.core.settings import Settings
from aico.mcp_server.api import Access
from aico.mcp_server.server import make_server

Open = Callable[..., AbstractAsyncContextManager[Client]]


def with_mcp(settings: Settings) -> FastAPI:
    """What `aico serve` serves."""
    return mount_mcp(create_app(settings), settings)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def service(base_settings: Settings) -> Iterator[str]:  # noqa: F811 - the fixture of that name
    with serving(base_settings, with_mcp) as url:
        yield url


@asynccontextmanager
async def over_http(url: str, headers: dict[str, str], **options: Any) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), **options) as client,
    ):
        yield client


def over_stdio(url: str, key: str, **options: Any) -> Client:
    environment = {"COST_OPTIMIZER_API_URL": url, "AICO_API_KEY": key, "PYTHONPATH": ":".join(sys.path)}
    command = StdioServerParameters(command=sys.executable, args=["-m", "aico.cli.main", "mcp"], env=environment)
    return Client(command, **options)


@asynccontextmanager
async def inside(url: str, key: str, *, patience_seconds: float = 30, **options: Any) -> AsyncIterator[Client]:
    """A client of a server in the test's own process, which calls the API at this address."""
    async with (
        httpx2.AsyncClient(base_url=url, timeout=30) as api,
        Client(make_server(Access(api, SecretStr(key), patience_seconds)), **options) as client,
    ):
        yield client


@pytest.fixture
def http(service: str, tenant: Tenant) -> Open:
    """Opens a client of the mounted server, with the tenant's key."""
    return lambda **options: over_http(service, {"Authorization": f"Bearer {tenant.key}"}, **options)


@pytest.fixture
def stdio(service: str, tenant: Tenant) -> Open:
    """Opens a client of a process of its own, likewise."""
    return lambda **options: over_stdio(service, tenant.key, **options)


@pytest.fixture(params=["http", "http before 2026", "stdio", "stdio before 2026"])
def door(request: pytest.FixtureRequest, http: Open, stdio: Open) -> Open:
    """Each transport, in its present form and in the one of older clients, which begin with a handshake."""
    transport = http if request.param.startswith("http") else stdio
    mode = "legacy" if request.param.endswith("before 2026") else "auto"
    return lambda **options: transport(mode=mode, **options)


@dataclass(frozen=True)
class Answering:
    """Plays the workers for one tenant: every job that comes is ended."""

    workers: Workers
    tenant: UUID
    admin_url: str

    def run(self, stop: threading.Event) -> None:
        query = "select id from public.jobs where tenant_id = %s and status = 'queued' order by id"
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            while not stop.wait(0.01):
                for (job,) in connection.execute(query, (self.tenant,)).fetchall():
                    self.workers.end(self.tenant, job)


@contextmanager
def answering(workers: Workers, tenant: Tenant, admin_url: str) -> Iterator[None]:  # noqa: F811 - likewise
    stop = threading.Event()
    thread = threading.Thread(target=Answering(workers, tenant.id, admin_url).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def answered(workers: Workers, tenant: Tenant, postgres: Any) -> Iterator[None]:  # noqa: F811 - likewise
    """While the test runs, the tenant's jobs are answered."""
    with answering(workers, tenant, postgres.admin_url):
        yield


def structured(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    content: dict[str, Any] | None = result.structured_content
    assert content is not None
    return content


def refusal(result: CallToolResult) -> str:
    """What the assistant reads of a call that went wrong."""
    assert result.is_error, result.structured_content
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text
