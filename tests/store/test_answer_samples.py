"""What is booked is sampled, about one answer a second and tenant, for those who watch for one of a kind."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from conftest import Postgres, new_tenant

from aico.store.blocking import Database

BOOK = (
    "insert into public.ledger_attempts"
    " (id, tenant_id, at, job_id, kind, outcome, provider, model, latency_ms, cost_cents)"
    " select gen_random_uuid(), t, now() + n * interval '1 ms', gen_random_uuid(), 'call',"
    " case when n = 50 then 'fatal' else 'ok' end, 'openai', 'm' || n, 7, 0.25"
    " from unnest(%s::uuid[]) t, generate_series(1, 50) n"
)
SAMPLES = "select model, provider, cost_cents, confidence from public.answer_samples where tenant_id = %s order by at"


@pytest.fixture
def admin(postgres: Postgres) -> Any:
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        yield connection


def test_of_what_is_booked_together_the_last_answer_of_each_tenant_is_a_sample(
    admin: psycopg.Connection[Any], database: Database
) -> None:
    ours, theirs = (new_tenant(database).id for _ in range(2))
    admin.execute(BOOK, ([ours, theirs],))
    for tenant in (ours, theirs):
        assert admin.execute(SAMPLES, (tenant,)).fetchall() == [("m49", "openai", Decimal("0.25"), None)]


def test_there_is_one_a_second_and_those_of_an_hour_ago_go(admin: psycopg.Connection[Any], database: Database) -> None:
    tenant = new_tenant(database).id
    admin.execute(BOOK, ([tenant],))
    admin.execute(BOOK, ([tenant],))
    assert len(admin.execute(SAMPLES, (tenant,)).fetchall()) == 1
    age = "update public.answer_samples set at = at - %s::interval where tenant_id = %s"
    admin.execute(age, ("2 seconds", tenant))
    admin.execute(BOOK, ([tenant],))
    assert len(admin.execute(SAMPLES, (tenant,)).fetchall()) == 2
    admin.execute(age, ("2 hours", tenant))
    admin.execute(BOOK, ([tenant],))
    assert len(admin.execute(SAMPLES, (tenant,)).fetchall()) == 1


def test_a_sample_says_how_confident_the_decision_was(admin: psycopg.Connection[Any], database: Database) -> None:
    tenant, job = new_tenant(database).id, uuid4()
    admin.execute(
        "insert into public.decisions (tenant_id, job_id, task, strategy, policy_version, asked, first_choice, score,"
        " confidence, propensity, chances, expected, cents, design, features)"
        " values (%s, %s, 'chat', 's', 'v', 'auto', 'm', 0, 'low', 1, '{}', '{}', '{}', 'd', '')",
        (tenant, job),
    )
    admin.execute(
        "insert into public.ledger_attempts (id, tenant_id, at, job_id, kind, outcome, provider, model, latency_ms)"
        " values (gen_random_uuid(), %s, now(), %s, 'call', 'ok', 'p', 'm', 1)",
        (tenant, job),
    )
    assert admin.execute(SAMPLES, (tenant,)).fetchall() == [("m", "p", None, "low")]


def test_what_nobody_was_given_is_no_sample(admin: psycopg.Connection[Any], database: Database) -> None:
    tenant, job = new_tenant(database).id, uuid4()
    admin.execute(
        "insert into public.ledger_attempts"
        " (id, tenant_id, at, job_id, kind, outcome, provider, model, latency_ms, concludes)"
        " select gen_random_uuid(), %s, now() + n * interval '1 ms', %s, kind, 'ok', 'p', kind, 1, kind = 'call'"
        " from unnest(array['call', 'shadow', 'judge']) with ordinality as k (kind, n)",
        (tenant, job),
    )
    assert admin.execute(SAMPLES, (tenant,)).fetchall() == [("call", "p", None, None)]
