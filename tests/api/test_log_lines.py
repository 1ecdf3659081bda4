"""Log lines of a request say whose it is and which job it is about; what is done for many at once names nobody."""

from typing import Any

import pytest
from api.conftest import Connect, serving
from conftest import Tenant
from pydantic import SecretStr
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from aico.core.settings import Settings

NAMES = ("tenant_id", "job_id", "request_id")


@pytest.fixture
def lines(base_settings: Settings, connect: Connect, tenant: Tenant) -> tuple[str, list[Any]]:
    """What is logged where a job is made and cancelled while Redis is away."""
    dead = base_settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:9/0")})
    with capture_logs(processors=[merge_contextvars]) as logged, serving(dead) as url:
        client = connect(url, tenant.key, **{"X-Request-ID": "mine"})
        job = client.post("/v1/jobs", json={"prompt": "hi"}).json()["id"]
        assert client.post(f"/v1/jobs/{job}/cancel").status_code == 200
    return job, logged


def test_a_line_of_a_request_names_its_tenant_and_its_job(lines: tuple[str, list[Any]], tenant: Tenant) -> None:
    job, logged = lines
    (line,) = (line for line in logged if line["event"] == "cancellation_not_told")
    assert [line[name] for name in NAMES] == [str(tenant.id), job, "mine"]


def test_what_is_sent_for_many_requests_names_none_of_them(lines: tuple[str, list[Any]]) -> None:
    together = [line for line in lines[1] if line["event"] == "bells_not_rung"]
    assert together
    assert not any(name in line for line in together for name in NAMES)
