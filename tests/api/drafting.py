"""A tenant whose key may do everything, and experiments that it drafts."""

from typing import Any

import httpx2
import pytest
from api.conftest import Connect
from conftest import Tenant, new_tenant

from aico.core.access import Permission
from aico.store.blocking import Database

ARMS: list[dict[str, Any]] = [
    {"name": "as-it-is", "control": True},
    {"name": "local", "treatment": {"model": "smollm2-135m"}},
]
PATH = "/v1/experiments"


@pytest.fixture
def owned(database: Database) -> Tenant:
    """With a key that may do everything."""
    return new_tenant(database, tuple(Permission))


@pytest.fixture
def owner(connect: Connect, service: str, owned: Tenant) -> httpx2.Client:
    return connect(service, owned.key)


def draft(client: httpx2.Client, **body: Any) -> dict[str, Any]:
    response = client.post(PATH, json={"name": "x", "arms": ARMS, **body})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made
