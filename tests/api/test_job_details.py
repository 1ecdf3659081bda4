"""What was asked of a job and what was tried for it: whole, in its order, and its own tenant's alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from api.conftest import Connect, assert_problem
from conftest import Tenant
from psycopg.types.json import Jsonb

from aico.api.job_detail_schemas import AskedView
from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.chat import ChatRequest, ImagePart, Message, Role, TextPart
from aico.core.ids import new_id
from aico.core.usage import Usage
from aico.store import ledger
from aico.store.blocking import Database
from aico.store.scope import Scope

Try = Callable[..., None]


@pytest.fixture
def job(api: httpx2.Client) -> UUID:
    return UUID(api.post("/v1/jobs", json={"prompt": "What was asked?", "system": "Be brief.", "seed": 7}).json()["id"])


@pytest.fixture
def tried(admin: psycopg.Connection[Any], tenant: Tenant) -> Try:
    """Puts an attempt into the outbox."""

    def put(job: UUID, at: datetime, outcome: AttemptOutcome, cents: Decimal | None) -> None:
        attempt = Attempt(
            id=new_id(),
            at=at,
            kind=AttemptKind.CALL,
            outcome=outcome,
            provider="local",
            model="smollm2-135m",
            latency_ms=12,
            usage=Usage(input_uncached=5, cache_read=2, output=3),
            cost_cents=cents,
        )
        admin.execute(
            "insert into public.ledger_outbox select * from jsonb_populate_record(null::public.ledger_outbox, %s)",
            (Jsonb(ledger.event_row(tenant.id, job, None, attempt)),),
        )

    return put


def test_a_job_says_what_was_asked(api: httpx2.Client, job: UUID) -> None:
    asked = api.get(f"/v1/jobs/{job}/request").json()
    assert asked["model"] == "auto"
    assert [(turn["role"], turn["text"], turn["images"]) for turn in asked["messages"]] == [
        ("system", "Be brief.", 0),
        ("user", "What was asked?", 0),
    ]
    assert asked["parameters"] == {"seed": 7}


def test_pictures_are_counted_and_not_repeated() -> None:
    parts = (TextPart(text="What is this?"), ImagePart(url="data:image/png;base64,iVBORw0KGgo="))
    asked = AskedView.of(ChatRequest(messages=(Message(role=Role.USER, content=parts),)))
    assert [(turn.text, turn.images) for turn in asked.messages] == [("What is this?", 1)]
    assert "base64" not in asked.model_dump_json()


def test_attempts_are_told_in_their_order_whether_they_are_booked_yet_or_not(
    api: httpx2.Client, tenant: Tenant, job: UUID, tried: Try, database: Database
) -> None:
    begun = datetime.now(UTC)
    tried(job, begun, AttemptOutcome.RETRYABLE, None)
    database.run(Scope.tenant(tenant.id), ledger.book([tenant.id], [job]))
    tried(job, begun + timedelta(seconds=2), AttemptOutcome.OK, Decimal("0.25"))
    told = api.get(f"/v1/jobs/{job}/attempts").json()
    assert [(one["outcome"], one["cost_cents"]) for one in told["data"]] == [("retryable", None), ("ok", "0.250000")]
    assert [(one["input_tokens"], one["cached_tokens"], one["output_tokens"]) for one in told["data"]] == [
        (7, 2, 3)
    ] * 2
    assert not told["has_more"]


def test_a_job_that_was_not_tried_has_no_attempts(api: httpx2.Client, job: UUID) -> None:
    assert api.get(f"/v1/jobs/{job}/attempts").json() == {"data": [], "has_more": False}


@pytest.mark.parametrize("part", ["request", "attempts"])
def test_nobody_reads_anothers_job(
    connect: Connect, service: str, make_tenant: Callable[[], Tenant], job: UUID, part: str
) -> None:
    other = connect(service, make_tenant().key)
    assert_problem(other.get(f"/v1/jobs/{job}/{part}"), 404)
    assert_problem(other.get(f"/v1/jobs/{new_id()}/{part}"), 404)


def test_the_attempts_of_a_job_are_found_by_its_index(
    admin: psycopg.Connection[Any], tenant: Tenant, job: UUID
) -> None:
    statement = ledger.of_job(tenant.id, job, since=datetime.now(UTC), limit=10)
    admin.execute("set enable_seqscan = off")  # tables of a few rows are read whole otherwise
    plan = "\n".join(row[0] for row in admin.execute(f"explain {statement.sql}", statement.params))
    assert "Seq Scan" not in plan
    assert "job_id" in plan
