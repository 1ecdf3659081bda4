"""Responses as OpenAI's own client meets them. Tests play the worker."""

from collections.abc import Iterator

import pytest
import redis
from api.talking import StreamingWorker, client
from conftest import Tenant
from openai import OpenAI

from aico.store.blocking import Database


@pytest.fixture
def asking(able_service: str, tenant: Tenant) -> Iterator[OpenAI]:
    with client(able_service, tenant.key) as asking:
        yield asking


@pytest.fixture
def worker(database: Database, broker: redis.Redis, tenant: Tenant) -> StreamingWorker:
    return StreamingWorker(database, broker, tenant.id)
