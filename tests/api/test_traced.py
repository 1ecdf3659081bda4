"""What of a caller's trace is stored with a job."""

from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import anyio
import httpx2
import psycopg
import pytest
from api.conftest import Connect, serving
from conftest import Tenant
from listening import listening

from aico.api.services import Services
from aico.api.traced_jobs import trace_cancelled
from aico.core.errors import Unavailable
from aico.core.settings import Settings
from aico.tracing.switch import tracing


@pytest.mark.parametrize("on", [False, True])
def test_a_callers_place_in_its_trace_is_stored_only_while_traces_are_on(
    base_settings: Settings, connect: Connect, tenant: Tenant, admin: "psycopg.Connection[Any]", on: bool
) -> None:
    address = "http://127.0.0.1:9" if on else None
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    settings = base_settings.model_copy(update={"otel_exporter_otlp_endpoint": address})
    with tracing(settings, "api"), serving(settings) as url:
        sent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-00"}
        made: httpx2.Response = connect(url, tenant.key).post("/v1/jobs", json={"prompt": "hi"}, headers=sent)
        assert made.status_code == 202
    row = admin.execute("select traceparent from public.jobs where id = %s", (made.json()["id"],)).fetchone()
    assert row is not None
    stored = row[0]
    assert (stored is not None) is on
    assert stored is None or (stored[3:35] == trace and stored.endswith("-00") and "00f067aa0ba902b7" not in stored)


def test_a_database_that_has_gone_does_not_undo_the_answer_to_a_cancellation() -> None:
    async def gone(*_: object) -> None:
        raise Unavailable("the database does not answer")

    held = cast("Services", SimpleNamespace(database=SimpleNamespace(run=gone)))
    with listening() as told:
        anyio.run(trace_cancelled, held, uuid4(), uuid4())
    assert told == []
