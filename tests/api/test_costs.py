"""The summary of costs is what was booked, to the millionth of a cent."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import httpx2
import pytest
from api.conftest import Connect, Workers, assert_problem
from builders import new_job
from conftest import Tenant

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline
from aico.core.ids import new_id
from aico.core.jobs import JobStatus
from aico.core.usage import Usage
from aico.store import claims, jobs, ledger
from aico.store.blocking import Database
from aico.store.claims import Ending
from aico.store.scope import Scope

Spend = Callable[..., None]


@pytest.fixture
def spend(database: Database, tenant: Tenant) -> Spend:
    """A job that ended with these attempts, and whether the recorder has come by already."""

    def make(*attempts: Attempt, baseline: Decimal | None = None, booked: bool = True) -> None:
        scope = Scope.tenant(tenant.id)
        job = new_job(f"costs {new_id()}")
        database.run(scope, jobs.submit(tenant.id, [job]))
        counted = None if baseline is None else Baseline(model="gpt-5.4", cost_cents=baseline)
        ending = Ending(job.id, 0, JobStatus.COMPLETED, attempts=attempts, baseline=counted)
        database.run(scope, claims.finish(tenant.id, [ending], 60))
        if booked:
            assert database.run(scope, ledger.book([tenant.id], [job.id])) == [len(attempts)]

    return make


def _attempt(
    cost: str | None,
    *,
    outcome: AttemptOutcome = AttemptOutcome.OK,
    model: str = "smollm2-135m",
    days_ago: int = 0,
    tokens: tuple[int, int] = (10, 5),
    kind: AttemptKind = AttemptKind.CALL,
) -> Attempt:
    return Attempt(
        id=new_id(),
        at=datetime.now(UTC) - timedelta(days=days_ago),
        kind=kind,
        outcome=outcome,
        provider="local",
        model=model,
        latency_ms=7,
        usage=Usage(input_uncached=tokens[0], output=tokens[1]),
        cost_cents=None if cost is None else Decimal(cost),
    )


def test_a_new_tenant_has_spent_nothing(api: httpx2.Client) -> None:
    body = api.get("/costs/summary").json()
    assert body["rows"] == []
    assert [Decimal(body[name]) for name in ("cost_cents", "baseline_cost_cents", "saved_cents")] == [0, 0, 0]
    assert (body["unpriced_attempts"], body["pending_events"]) == (0, 0)


def test_the_sums_are_what_was_booked(api: httpx2.Client, spend: Spend) -> None:
    spend(_attempt("0.000001"), baseline=Decimal("1.25"))
    spend(_attempt("0.1", outcome=AttemptOutcome.RETRYABLE), _attempt("0.2"), baseline=Decimal("0.75"))
    spend(_attempt("3", model="simulated-small", tokens=(100, 50)), baseline=Decimal(2))
    spend(_attempt(None, model="mystery"))
    body = api.get("/costs/summary").json()
    assert Decimal(body["cost_cents"]) == Decimal("3.300001")
    assert Decimal(body["baseline_cost_cents"]) == 4
    assert Decimal(body["saved_cents"]) == Decimal("0.699999")
    assert body["unpriced_attempts"] == 1
    rows = {row["model"]: row for row in body["rows"]}
    assert rows.keys() == {"smollm2-135m", "simulated-small", "mystery"}
    small = rows["smollm2-135m"]
    assert (small["kind"], small["provider"]) == ("call", "local")
    assert (small["attempts"], small["answered"], small["failed"]) == (3, 2, 1)
    assert (small["input_tokens"], small["output_tokens"]) == (30, 15)
    assert Decimal(small["saved_cents"]) == Decimal("1.699999")
    assert Decimal(rows["simulated-small"]["saved_cents"]) == -1
    assert sum(Decimal(row["cost_cents"]) for row in body["rows"]) == Decimal(body["cost_cents"])


def test_what_routing_costs_to_learn_is_shown_apart_and_lessens_what_is_saved(api: httpx2.Client, spend: Spend) -> None:
    spend(
        _attempt("3", kind=AttemptKind.SHADOW, model="rival"),
        _attempt("2", kind=AttemptKind.JUDGE, model="judge"),
        _attempt("1"),
        baseline=Decimal(10),
    )
    body = api.get("/costs/summary").json()
    assert Decimal(body["routing_cost_cents"]) == 5
    assert [Decimal(body["cost_cents"]), Decimal(body["saved_cents"])] == [Decimal(6), Decimal(4)]
    rows = {row["kind"]: row for row in body["rows"]}
    assert {kind: Decimal(row["baseline_cost_cents"]) for kind, row in rows.items()} == {
        "call": Decimal(10),
        "shadow": Decimal(0),
        "judge": Decimal(0),
    }


def test_an_exact_hit_saves_what_the_baseline_would_have_cost(
    api: httpx2.Client, tenant: Tenant, workers: Workers, database: Database
) -> None:
    first = api.post("/v1/jobs", json={"prompt": "saved"}).json()
    workers.end(tenant.id, UUID(first["id"]))
    hit = api.post("/v1/jobs", json={"prompt": "saved"}).json()
    assert api.get("/costs/summary").json()["pending_events"] == 1
    database.run(Scope.tenant(tenant.id), ledger.book([tenant.id], [UUID(hit["id"])]))
    body = api.get("/costs/summary").json()
    assert body["pending_events"] == 0
    (row,) = body["rows"]
    assert (row["kind"], row["answered"]) == ("exact_hit", 1)
    assert Decimal(row["cost_cents"]) == 0
    assert Decimal(body["saved_cents"]) == 2


def test_what_is_not_booked_yet_is_pending(api: httpx2.Client, spend: Spend) -> None:
    spend(_attempt("5"), booked=False)
    body = api.get("/costs/summary").json()
    assert (body["rows"], body["pending_events"]) == ([], 1)


def test_days_bound_the_period(api: httpx2.Client, spend: Spend) -> None:
    spend(_attempt("1"))
    spend(_attempt("2", days_ago=3))

    def cost(days: int) -> Decimal:
        return Decimal(api.get("/costs/summary", params={"days": days}).json()["cost_cents"])

    assert [cost(days) for days in (1, 3, 4, 366)] == [1, 1, 3, 3]


def test_nobody_sees_anothers_costs(
    connect: Connect, service: str, make_tenant: Callable[[], Tenant], api: httpx2.Client, spend: Spend
) -> None:
    spend(_attempt("9"))
    assert Decimal(api.get("/costs/summary").json()["cost_cents"]) == 9
    assert connect(service, make_tenant().key).get("/costs/summary").json()["rows"] == []


@pytest.mark.parametrize("days", ["0", "-1", "367", "month", "", "1.5", "9" * 5000])
def test_days_out_of_bounds_are_refused(api: httpx2.Client, days: str) -> None:
    problem = assert_problem(api.get("/costs/summary", params={"days": days}), 422, "invalid_input")
    assert problem["param"] == "days"
