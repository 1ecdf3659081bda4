"""What a request would cost now and by its deadline, before anything is stored."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from api.conftest import Connect, Rows, assert_problem, serving
from conftest import Tenant
from pydantic import SecretStr

from aico.core.settings import Settings

PATIENT = {"prompt": "What is the capital of France?", "class": "batch", "completion_window": "6h"}


@pytest.fixture(scope="module")
def paid_service(base_settings: Settings) -> Iterator[str]:
    """One provider with a lane, and nothing that is nearly free."""
    switched = {"local_model_url": None, "openai_api_key": SecretStr("a key that is never sent")}
    with serving(base_settings.model_copy(update=switched)) as url:
        yield url


@pytest.fixture
def paid(connect: Connect, paid_service: str, tenant: Tenant) -> httpx2.Client:
    return connect(paid_service, tenant.key)


def quoted(client: httpx2.Client, **changes: Any) -> dict[str, Any]:
    response = client.post("/v1/quote", json={**PATIENT, **changes})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def test_waiting_costs_half(paid: httpx2.Client, rows: Rows, tenant: Tenant) -> None:
    asked_at = datetime.now(UTC)
    quote = quoted(paid, model="gpt-5.4-mini")
    now, later = quote["now"], quote["by_deadline"]
    assert (now["provider"], now["model"], later["lane"]) == ("openai", "gpt-5.4-mini", "batch")
    cents, half = Decimal(now["estimated_cents"]), Decimal(later["estimated_cents"])
    assert 0 < half < cents
    assert abs(half * 2 - cents) <= Decimal("0.000002")
    assert Decimal(later["saved_cents"]) == pytest.approx(cents - half, abs=Decimal("0.000002"))
    assert Decimal(now["baseline_cents"]) > cents
    wait = datetime.fromisoformat(later["latest"]) - asked_at
    assert timedelta(hours=5.9) < wait < timedelta(hours=6.1)
    assert "batch price" in quote["reason"]
    assert (rows.jobs(tenant.id), rows.events(tenant.id)) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"class": "interactive"}, "interactive work does not wait"),
        ({"class": "standard", "completion_window": None}, "only where it is given a deadline"),
        ({"completion_window": "30m"}, "a batch lane needs"),
    ],
)
def test_what_cannot_wait_costs_the_same(paid: httpx2.Client, changes: dict[str, Any], reason: str) -> None:
    quote = quoted(paid, **changes)
    assert reason in quote["reason"]
    later = quote["by_deadline"]
    assert later["lane"] is None
    assert Decimal(later["saved_cents"]) == 0
    assert later["estimated_cents"] == quote["now"]["estimated_cents"]


def test_without_a_lane_the_reason_says_so(api: httpx2.Client) -> None:
    quote = quoted(api)
    assert (quote["now"]["provider"], quote["by_deadline"]["lane"]) == ("local", None)
    assert quote["reason"] == "no batch lane is open"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"model": "no-such-model"}, 404, "model_not_found"),
        ({"completion_window": "99999d"}, 400, "invalid_input"),
        ({"prompt": "  "}, 422, "invalid_input"),
        ({"prompt": "x" * 200_001}, 413, "payload_too_large"),
        ({"model": "gpt-5.4-mini", "max_tokens": 1_000_000}, 400, "invalid_input"),
    ],
)
def test_what_could_not_be_submitted_is_not_quoted(
    paid: httpx2.Client, changes: dict[str, Any], status: int, code: str
) -> None:
    assert_problem(paid.post("/v1/quote", json={**PATIENT, **changes}), status, code)


def test_strangers_get_no_quote(connect: Connect, paid_service: str) -> None:
    assert_problem(connect(paid_service).post("/v1/quote", json=PATIENT), 401)
