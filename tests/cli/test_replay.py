"""`aico replay`, on decisions in the real database."""

import json
from typing import Any

import psycopg
import pytest
from builders import ending_of, new_job
from cli.conftest import Aico
from conftest import Postgres, Tenant
from psycopg.types.json import Jsonb

from aico.core.jobs import CacheMode
from aico.store import claims, jobs
from aico.store.blocking import Database
from aico.store.scope import Scope

CHEAP, STRONG = "gpt-5.4-nano", "gpt-5.4"
CENTS = {CHEAP: 0.1, STRONG: 2.0}
EXPECTED = {CHEAP: 0.5, STRONG: 0.9}


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch, postgres: Postgres, tenant: Tenant) -> str:
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    return f"tenant {tenant.id}"


def decide(
    database: Database, postgres: Postgres, tenant: Tenant, chosen: str, quality: float | None, asked: str = "auto"
) -> None:
    """A job that `chosen` answered, when either of two models might have been tried."""
    scope = Scope.tenant(tenant.id)
    job = new_job("Why?", mode=CacheMode.OFF)
    database.run(scope, jobs.submit(tenant.id, [job]))
    (held,) = database.run(scope, claims.claim(tenant.id, job.id, 30))
    database.run(scope, claims.finish(tenant.id, [ending_of(held)], 60))
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(
            "insert into public.decisions (tenant_id, job_id, task, strategy, policy_version, asked, first_choice,"
            " model, score, confidence, propensity, chances, expected, cents, cost_cents, design, features) values"
            " (%s, %s, 'chat', 'hybrid', 'hybrid-1', %s, %s, %s, 0.5, 'low', 0.5, %s, %s, %s, %s, 'd', '')",
            (
                *(tenant.id, job.id, asked, chosen, chosen),
                *(Jsonb(dict.fromkeys(CENTS, 0.5)), Jsonb(EXPECTED), Jsonb(CENTS), CENTS[chosen]),
            ),
        )
        if quality is not None:
            admin.execute(
                "insert into public.outcomes (tenant_id, job_id, model, quality) values (%s, %s, %s, %s)",
                (tenant.id, job.id, chosen, quality),
            )


def replayed(aico: Aico, name: str, *options: str) -> dict[str, Any]:
    outcome = aico("replay", name, "--json", *options)
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def test_what_another_policy_would_have_cost_and_been_worth(
    aico: Aico, name: str, tenant: Tenant, database: Database, postgres: Postgres
) -> None:
    for chosen, quality in ((CHEAP, 0.0), (CHEAP, 1.0), (STRONG, 1.0), (STRONG, 0.8)):
        decide(database, postgres, tenant, chosen, quality)
    decide(database, postgres, tenant, STRONG, None)
    decide(database, postgres, tenant, STRONG, 0.0, asked=STRONG)  # nothing was to be chosen there
    strong = replayed(aico, name, "--strategy", "complexity", "--models", STRONG)
    assert (strong["decisions"], strong["judged"], strong["unsupported"]) == (5, 4, 0.0)
    assert strong["cost"]["value"] == pytest.approx(2.0)
    assert strong["cost_difference"]["value"] == pytest.approx(2.0 - (2 * 0.1 + 3 * 2.0) / 5)
    # Of those that the strong one answered: what was expected, and twice what was seen beyond that.
    assert strong["quality"]["value"] == pytest.approx((0.9 + 0.9 + (0.9 + 2 * 0.1) + (0.9 - 2 * 0.1)) / 4)
    cheap = replayed(aico, name, "--strategy", "complexity", "--models", CHEAP)
    assert cheap["cost"]["value"] == pytest.approx(0.1)


def test_what_a_draft_cost_and_how_good_it_was_is_nothing_that_a_whole_answer_would_have_been(
    aico: Aico, name: str, tenant: Tenant, database: Database, postgres: Postgres
) -> None:
    for _ in range(2):
        decide(database, postgres, tenant, CHEAP, 0.0)
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(
            "update public.decisions set strategy = 'cascade', chances = '{}', cost_cents = 2.1 where tenant_id = %s",
            (tenant.id,),
        )
    cheap = replayed(aico, name, "--strategy", "complexity", "--models", CHEAP)
    assert (cheap["decisions"], cheap["judged"], cheap["unsupported"]) == (2, 0, 1.0)
    assert cheap["cost"]["value"] == pytest.approx(0.1)
    assert cheap["cost_difference"]["value"] == pytest.approx(0.1 - 2.1)


def test_where_nothing_was_expected_and_nothing_tried_people_are_told_that_no_quality_is_known(
    aico: Aico, name: str, tenant: Tenant, database: Database, postgres: Postgres
) -> None:
    for quality in (0.0, 1.0):
        decide(database, postgres, tenant, CHEAP, quality)
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(
            "update public.decisions set chances = '{}', expected = '{}' where tenant_id = %s",
            (tenant.id,),
        )
    outcome = aico("replay", name, "--strategy", "complexity", "--models", STRONG)
    assert "too few" in outcome.out
    assert "2 judged decisions say nothing of quality" in " ".join(outcome.err.split())


def test_a_table_for_people_with_what_it_rests_on(
    aico: Aico, name: str, tenant: Tenant, database: Database, postgres: Postgres
) -> None:
    for chosen in (CHEAP, STRONG, CHEAP):
        decide(database, postgres, tenant, chosen, 1.0)
    outcome = aico("replay", name, "--strategy", "hybrid", "--learned", "none")
    assert outcome.code == 0, outcome.err
    assert "other policy" in outcome.out
    assert "3 decisions, 3 of them judged" in " ".join(outcome.err.split())


def test_a_floor_that_no_model_reaches_leaves_nothing_to_compare(
    aico: Aico, name: str, tenant: Tenant, database: Database, postgres: Postgres
) -> None:
    decide(database, postgres, tenant, CHEAP, 1.0)
    found = replayed(aico, name, "--strategy", "complexity", "--quality-floor", "1")
    assert (found["decisions"], found["left_out"]["without_model"], found["cost"]) == (0, 1, None)


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (("--strategy", "guessing"), 2, "guessing"),
        (("--strategy", "cascade"), 2, "a cascade cannot be replayed"),
        (("--strategy", "hybrid", "--models", "gpt-17"), 2, "--models names models"),
        (("--strategy", "hybrid", "--models", ","), 2, "--models names models"),
        (("--strategy", "hybrid", "--learned", "newest"), 2, "--learned is logged, none or a version"),
        (("--strategy", "hybrid", "--learned", "7"), 1, "version 7 is not kept"),
        (("--strategy", "hybrid", "--quality-floor", "2"), 2, "quality-floor"),
    ],
)
def test_what_makes_no_sense_is_refused(
    aico: Aico,
    name: str,
    tenant: Tenant,
    database: Database,
    postgres: Postgres,
    options: tuple[str, ...],
    code: int,
    reason: str,
) -> None:
    decide(database, postgres, tenant, CHEAP, 1.0)
    outcome = aico("replay", name, *options)
    assert (outcome.code, outcome.out) == (code, "")
    assert reason in " ".join(outcome.err.replace("│", " ").split())


def test_without_decisions_there_is_nothing_to_replay(aico: Aico, name: str) -> None:
    outcome = aico("replay", name, "--strategy", "hybrid")
    assert (outcome.code, outcome.out) == (1, "")
    assert "there are no decisions of the last 30 days" in " ".join(outcome.err.split())
