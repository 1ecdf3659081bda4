"""What operators see of all tenants together: states counted right, sums that grow by each attempt once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline
from aico.core.ids import new_id
from aico.core.jobs import JobClass
from aico.core.usage import Usage
from aico.store import ledger, operations
from aico.store.blocking import Database
from aico.store.operations import CacheStanding, QueueStats, Total
from aico.store.scope import Scope

Connection = psycopg.Connection[dict[str, Any]]
EMPTY = {"waiting": 0, "admitted": 0, "running": 0, "held": 0, "lane": 0}


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[Connection]:
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as connection:
        yield connection


@pytest.fixture
def alone(admin: Connection) -> Iterator[Connection]:
    """As if no other test had left anything; everything is rolled back."""
    with admin.transaction(force_rollback=True):
        admin.execute("delete from public.jobs")
        admin.execute("delete from private.totals")
        admin.execute("delete from public.cache_namespaces")
        yield admin


INSERT = """
insert into public.jobs (id, tenant_id, class, status, stage, cache_mode, request, namespace, fingerprint, deadline,
  created_at, bell_at, run_after, replayed_as)
select gen_random_uuid(), %(tenant)s, %(class)s, %(status)s, %(stage)s, 'off', '{}', '', '', now() + interval '1 day',
  now() - make_interval(secs => %(age)s), case when %(rung)s then now() end,
  case when %(held)s then now() + interval '1 hour' end, case when %(replayed)s then gen_random_uuid() end
from generate_series(1, %(count)s)
"""


def insert(connection: Connection, tenant: Tenant, job_class: str, status: str, age: int, **more: Any) -> None:
    """Jobs created `age` seconds ago."""
    given = {"tenant": tenant.id, "class": job_class, "status": status, "age": age}
    usual = {"stage": "route", "rung": False, "held": False, "replayed": False, "count": 1}
    connection.execute(INSERT, {**usual, **given, **more})


def stats(connection: Connection) -> dict[JobClass, QueueStats]:
    statement = operations.queue_stats()
    found = [statement.parse(row) for row in connection.execute(statement.sql.encode(), statement.params)]
    return {row.job_class: row for row in found}


def counts(row: QueueStats) -> dict[str, int]:
    return {name: getattr(row, name) for name in EMPTY}


def test_each_live_job_is_counted_in_one_state(alone: Connection, tenant: Tenant) -> None:
    insert(alone, tenant, "batch", "queued", 50, count=2)
    insert(alone, tenant, "batch", "queued", 70, count=3, rung=True)
    insert(alone, tenant, "batch", "in_progress", 90, count=4, rung=True)
    insert(alone, tenant, "batch", "queued", 1000, count=5, rung=True, held=True)
    insert(alone, tenant, "batch", "in_progress", 2000, count=6, rung=True, stage="lane")
    for status in ("completed", "failed", "expired", "cancelled", "incomplete"):
        insert(alone, tenant, "batch", status, 9000, rung=True)
    insert(alone, tenant, "interactive", "in_progress", 30, rung=True)
    found = stats(alone)
    assert counts(found[JobClass.BATCH]) == {"waiting": 2, "admitted": 3, "running": 4, "held": 5, "lane": 6}
    assert counts(found[JobClass.INTERACTIVE]) == {**EMPTY, "running": 1}
    assert (found[JobClass.BATCH].oldest_seconds, found[JobClass.BATCH].longest_wait_seconds) == (90, 70)
    assert (found[JobClass.INTERACTIVE].oldest_seconds, found[JobClass.INTERACTIVE].longest_wait_seconds) == (30, 0)
    assert found[JobClass.STANDARD] == QueueStats(JobClass.STANDARD, **EMPTY, oldest_seconds=0, longest_wait_seconds=0)


def test_the_oldest_is_found_behind_a_long_backlog(alone: Connection, tenant: Tenant) -> None:
    insert(alone, tenant, "standard", "queued", 5, count=10_001)
    insert(alone, tenant, "standard", "queued", 600)
    found = stats(alone)[JobClass.STANDARD]
    assert (found.waiting, found.oldest_seconds, found.longest_wait_seconds) == (10_000, 600, 600)


def test_dead_letters_are_counted_until_they_are_replayed(alone: Connection, tenant: Tenant) -> None:
    insert(alone, tenant, "batch", "failed", 1, count=2)
    insert(alone, tenant, "standard", "expired", 1)
    insert(alone, tenant, "batch", "failed", 1, replayed=True)
    insert(alone, tenant, "batch", "completed", 1)
    assert alone.execute(operations.dead_jobs().sql.encode()).fetchall() == [{"dead": 3}]


def test_the_service_may_ask_without_a_tenant(database: Database) -> None:
    system = Scope.system()
    assert {row.job_class for row in database.run(system, operations.queue_stats())} == set(JobClass)
    assert database.run(system, operations.dead_jobs())[0] >= 0
    assert all(total.attempts > 0 for total in database.run(system, operations.totals()))


def test_the_totals_are_behind_a_function(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("set role aico_service")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from private.totals")


def attempt(
    model: str, cents: str | None, *, kind: AttemptKind = AttemptKind.CALL, outcome: AttemptOutcome = AttemptOutcome.OK
) -> Attempt:
    return Attempt(
        id=new_id(),
        at=datetime.now(UTC),
        kind=kind,
        outcome=outcome,
        provider="local",
        model=model,
        latency_ms=1,
        usage=Usage(input_uncached=10, cache_read=5, output=3),
        cost_cents=None if cents is None else Decimal(cents),
    )


def leave(admin: Connection, tenant: Tenant, attempts: Sequence[tuple[Attempt, str]]) -> UUID:
    """A job's attempts in the outbox, each with its baseline in cents."""
    job = new_id()
    events = [
        ledger.event_row(tenant.id, job, None, one)
        | ledger.conclusion(one, Baseline(model="b", cost_cents=Decimal(cents)))
        for one, cents in attempts
    ]
    query = "insert into public.ledger_outbox select * from jsonb_populate_recordset(null::public.ledger_outbox, %s)"
    admin.execute(query, (Jsonb(events),))
    return job


def book(database: Database, tenant: Tenant, *jobs: UUID) -> list[int]:
    return database.run(Scope.tenant(tenant.id), ledger.book([tenant.id], jobs))


def totals_of(database: Database, model: str) -> list[Total]:
    return [total for total in database.run(Scope.system(), operations.totals()) if total.model == model]


def test_booking_adds_each_attempt_once(
    database: Database, make_tenant: Callable[[], Tenant], admin: Connection
) -> None:
    model = f"model {new_id()}"
    for tenant in (make_tenant(), make_tenant()):
        failed = attempt(model, "0.25", outcome=AttemptOutcome.FATAL)
        events = [(attempt(model, "1.5"), "4"), (attempt(model, "3"), "2"), (attempt(model, None), "2"), (failed, "9")]
        job = leave(admin, tenant, events)
        assert book(database, tenant, job) == [4]
        assert book(database, tenant, job) == [0]
        query = "insert into public.ledger_outbox select * from public.ledger_attempts where tenant_id = %s"
        admin.execute(query, (tenant.id,))
        assert book(database, tenant, job) == [0], "what is in the ledger is not booked again"
    names = ("call", "fatal", "local", model)
    money = (Decimal("0.5"), Decimal(0), Decimal(0), Decimal("0.5"))
    fatal = Total(*names, 2, 0, 30, 6, *money, "routing")
    answered = Total(
        *("call", "ok", "local", model),
        *(6, 2, 90, 18),
        cost_cents=Decimal(9),
        baseline_cost_cents=Decimal(16),
        saved_cents=Decimal(5),
        overspent_cents=Decimal(2),
        lever="routing",
    )
    assert totals_of(database, model) == [fatal, answered]


def test_recorders_side_by_side_lose_nothing(database: Database, tenant: Tenant, admin: Connection) -> None:
    models = [f"model {new_id()}" for _ in range(4)]
    jobs = [leave(admin, tenant, [(attempt(model, "1"), "2") for model in models]) for _ in range(24)]
    with ThreadPoolExecutor(4) as recorders:
        booked = list(recorders.map(lambda job: book(database, tenant, job), jobs))
    assert booked == [[4]] * 24
    assert [totals_of(database, model)[0].attempts for model in models] == [24] * 4


def add(connection: Connection, models: Sequence[str]) -> None:
    numbers = dict.fromkeys(("attempts", "unpriced", "input_tokens", "output_tokens"), 1)
    money = dict.fromkeys(("cost_cents", "baseline_cost_cents", "saved_cents", "overspent_cents"), "0.000001")
    names = {"kind": "call", "outcome": "ok", "provider": "p", "lever": "routing"}
    sums = [{**names, "model": model, **numbers, **money} for model in models]
    connection.execute("select private.add_totals(%s)", (Jsonb(sums),))


def test_the_number_of_series_is_bounded(alone: Connection) -> None:
    add(alone, [f"m{number}" for number in range(150)])
    add(alone, [f"m{number}" for number in range(100, 260)])
    add(alone, [f"m{number}" for number in range(260)])
    found = {(row["provider"], row["model"]): row for row in alone.execute("select * from private.all_totals()")}
    assert len(found) == 201
    assert sum(row["attempts"] for row in found.values()) == 150 + 160 + 260
    assert sum(row["cost_cents"] for row in found.values()) == Decimal("0.00057")
    assert found["other", "other"]["attempts"] == 2 * 60
    assert {found["p", f"m{number}"]["attempts"] for number in range(100, 150)} == {3}


def test_namespaces_count_once_they_have_verdicts(alone: Connection, tenant: Tenant) -> None:
    for number, (state, judged, above, wrong) in enumerate(
        [("serving", 50, 40, 1), ("serving", 20, 10, 0), ("probation", 9, 5, 2), ("learning", 0, 0, 0)]
    ):
        alone.execute(
            "insert into public.cache_namespaces (tenant_id, namespace, state, judged, above, wrong)"
            " values (%s, %s, %s, %s, %s, %s)",
            (tenant.id, bytes([number]), state, judged, above, wrong),
        )
    statement = operations.cache_standing()
    found = [statement.parse(row) for row in alone.execute(statement.sql.encode())]
    assert sorted(found, key=lambda one: one.state) == [
        CacheStanding("probation", 1, 5, 2),
        CacheStanding("serving", 2, 50, 1),
    ]
