"""Quotas in the database: reserved where jobs are stored, charged where they are metered, given back where they end."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import ending_of
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from quotaing import MONTHLY_TOKENS, Budgets, job, paid, refused

from aico.core.jobs import CacheMode
from aico.core.quotas import Period, Quota, Source, Unit
from aico.store import backlog, claims, dead_letters, jobs, quotas
from aico.store.blocking import Database
from aico.store.dead_letters import Filter
from aico.store.jobs import IdempotencyKey
from aico.store.scope import Scope

Connection = psycopg.Connection[dict[str, Any]]
MONTHLY_CENTS = Quota("tenant", Period.MONTH, Unit.CENTS)
DAILY_REQUESTS = Quota("tenant", Period.DAY, Unit.REQUESTS)
A_MINUTE = Quota("tenant", Period.MINUTE, Unit.TOKENS)


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[Connection]:
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as connection:
        yield connection


@pytest.fixture
def budgets(database: Database, tenant: Tenant) -> Budgets:
    return Budgets(database, tenant.id)


def stored_jobs(admin: Connection, tenant: UUID) -> set[UUID]:
    return {row["id"] for row in admin.execute("select id from public.jobs where tenant_id = %s", (tenant,))}


def test_a_tenant_without_quotas_reserves_nothing(budgets: Budgets, admin: Connection) -> None:
    one = job(10**12)
    assert refused(budgets.submit(one)) == []
    budgets.end(one.id, paid("5", 10**6))
    assert budgets.run(quotas.standings(budgets.tenant)) == []
    windows = admin.execute("select from public.quota_windows where tenant_id = %s", (budgets.tenant,)).fetchall()
    assert windows == []


def test_what_was_reserved_is_replaced_by_what_was_used(budgets: Budgets) -> None:
    budgets.limit(MONTHLY_TOKENS, 100)
    budgets.limit(MONTHLY_CENTS, 5)
    budgets.limit(DAILY_REQUESTS, 3)
    one, two = job(40, "1.5"), job(40, "1.5")
    budgets.submit(one, two)
    assert budgets.figures() == (0, 80)
    assert budgets.figures(MONTHLY_CENTS) == (0, 3)
    assert budgets.figures(DAILY_REQUESTS) == (0, 2)
    budgets.end(one.id, paid("0.123457", 33))
    assert budgets.figures() == (33, 40)
    assert budgets.figures(MONTHLY_CENTS) == (Decimal("0.123457"), Decimal("1.5"))
    assert budgets.figures(DAILY_REQUESTS) == (1, 1)
    budgets.end(two.id, paid("0.9", 90))
    assert budgets.figures() == (123, 0), "what it took beyond its reservation is charged in full"


def test_the_first_jobs_of_a_group_are_let_in_until_one_does_not_fit(budgets: Budgets, admin: Connection) -> None:
    budgets.limit(MONTHLY_TOKENS, 100)
    group = [job(60), job(50), job(30), job(11), job(10)]
    assert refused(budgets.submit(*group)) == [group[1].id, group[3].id]
    assert stored_jobs(admin, budgets.tenant) == {group[0].id, group[2].id, group[4].id}
    assert budgets.figures() == (0, 100)


def test_a_refusal_says_how_the_quota_stands(budgets: Budgets) -> None:
    budgets.limit(MONTHLY_TOKENS, 100)
    one = job(30)
    budgets.submit(one, job(40))
    budgets.end(one.id, paid(tokens=20))
    (outcome,) = budgets.submit(job(41))
    refusal = outcome.refusal
    assert refusal is not None
    assert (refusal.quota, refusal.source) == (MONTHLY_TOKENS, Source.OPERATOR)
    amounts = [refusal.limit, refusal.used, refusal.reserved, refusal.left, refusal.asked]
    assert amounts == [Decimal(amount) for amount in (100, 20, 40, 40, 41)]
    assert (refusal.resets_at.day, refusal.resets_at.hour, refusal.resets_at.utcoffset()) == (1, 0, timedelta())
    assert refusal.resets_at > datetime.now(UTC)


def test_the_quota_that_stays_exhausted_for_longest_is_named(budgets: Budgets) -> None:
    budgets.limit(A_MINUTE, 10)
    budgets.limit(MONTHLY_TOKENS, 15)
    first = job(10)
    budgets.submit(first)
    for asked, named in ((5, A_MINUTE), (6, MONTHLY_TOKENS), (11, A_MINUTE), (16, MONTHLY_TOKENS)):
        (outcome,) = budgets.submit(job(asked))
        assert outcome.refusal is not None
        assert outcome.refusal.quota == named, asked
        assert outcome.refusal.hopeless is (asked > 10)


@pytest.mark.parametrize("ending", ["failed", "cancelled", "expired", "deleted"])
def test_what_was_not_used_comes_back(budgets: Budgets, admin: Connection, ending: str) -> None:
    budgets.limit(MONTHLY_TOKENS, 50)
    one = job(50)
    budgets.submit(one)
    assert refused(budgets.submit(job(1)))
    if ending == "failed":
        budgets.end(one.id, paid("0.1", 7, ok=False), failed=True)
    elif ending == "cancelled":
        assert budgets.run(jobs.cancel(budgets.tenant, one.id))[0].cancelled
    elif ending == "expired":
        admin.execute("update public.jobs set deadline = now() - interval '1 second' where id = %s", (one.id,))
        ended = budgets.database.run(Scope.system(), backlog.end_overdue(max_losses=5, limit=500))
        assert one.id in {overdue.id for overdue in ended}
    else:
        admin.execute("delete from public.jobs where id = %s", (one.id,))
    assert budgets.figures() == (7 if ending == "failed" else 0, 0)
    assert not refused(budgets.submit(job(43)))


def test_a_job_that_is_put_back_or_taken_over_keeps_its_reservation(budgets: Budgets, admin: Connection) -> None:
    budgets.limit(MONTHLY_TOKENS, 50)
    one = job(50)
    budgets.submit(one)
    (held,) = budgets.run(claims.claim(budgets.tenant, one.id, 30))
    failure = paid("0.1", 5, ok=False)
    assert budgets.run(claims.put_back(claims.PutBack(held, "no_answer", "an outage", attempts=(failure,))))
    assert budgets.figures() == (5, 50)
    assert budgets.run(claims.claim(budgets.tenant, one.id, 30))
    admin.execute("update public.jobs set lease_until = now() - interval '1 second' where id = %s", (one.id,))
    (taken,) = budgets.run(claims.claim(budgets.tenant, one.id, 30))
    assert taken.taken_over
    assert budgets.figures() == (5, 50)
    budgets.end(one.id, paid("0.1", 20), fence=taken.fence)
    assert budgets.figures() == (25, 0)


def test_an_attempt_that_is_sent_twice_is_charged_once(budgets: Budgets) -> None:
    budgets.limit(MONTHLY_TOKENS, 100)
    one = job(50)
    budgets.submit(one)
    (held,) = budgets.run(claims.claim(budgets.tenant, one.id, 30))
    failure = paid("0.1", 5, ok=False)
    for _ in range(2):
        budgets.run(claims.note([], [(held, failure)]))
    budgets.end(one.id, failure, paid("0.1", 20), fence=held.fence)
    assert budgets.figures() == (25, 0)


def test_a_key_that_is_sent_twice_reserves_once(budgets: Budgets) -> None:
    budgets.limit(MONTHLY_TOKENS, 50)
    key = IdempotencyKey("the same", b"h" * 32, 60)
    assert len(budgets.submit(job(30, key=key))) == 1
    assert budgets.submit(job(30, key=key)) == []
    assert budgets.figures() == (0, 30)


def test_a_refused_job_does_not_take_its_key(budgets: Budgets) -> None:
    budgets.limit(MONTHLY_TOKENS, 50)
    key = IdempotencyKey("later", b"h" * 32, 60)
    assert refused(budgets.submit(job(51, key=key)))
    budgets.limit(MONTHLY_TOKENS, 60)
    (stored,) = budgets.submit(job(51, key=key))
    assert stored.refusal is None


def test_what_the_cache_answers_is_served_when_all_is_used_up(budgets: Budgets, tenant: Tenant) -> None:
    first = job(10, mode=CacheMode.EXACT)
    budgets.submit(first)
    (held,) = budgets.run(claims.claim(tenant.id, first.id, 30))
    answer = replace(ending_of(held), attempts=(paid("1", 10),))
    budgets.run(claims.finish(tenant.id, [answer], 60))
    budgets.limit(MONTHLY_TOKENS, 10)
    assert budgets.figures() == (10, 0)
    hit, miss = budgets.submit(job(10, mode=CacheMode.EXACT), job(10, mode=CacheMode.OFF))
    assert (hit.answer is not None, hit.refusal) == (True, None)
    assert miss.refusal is not None
    assert budgets.figures() == (10, 0)


def test_keys_and_tags_have_quotas_of_their_own(budgets: Budgets, tenant: Tenant) -> None:
    of_key = Quota(f"key:{tenant.key_id}", Period.DAY, Unit.TOKENS)
    of_tag = Quota("tag:team:a", Period.DAY, Unit.TOKENS)
    budgets.limit(of_key, 30)
    budgets.limit(of_tag, 20)
    both = job(20, api_key_id=tenant.key_id, tags=("team:a", "other"))
    by_key, by_tag, by_none = job(11, api_key_id=tenant.key_id), job(1, tags=("team:a",)), job(1000)
    assert refused(budgets.submit(both, by_key, by_tag, by_none)) == [by_key.id, by_tag.id]
    assert (budgets.figures(of_key), budgets.figures(of_tag)) == ((0, 20), (0, 20))
    budgets.end(both.id, paid(tokens=12))
    assert (budgets.figures(of_key), budgets.figures(of_tag)) == ((12, 0), (12, 0))


def test_nobody_loosens_another_ones_quota(budgets: Budgets) -> None:
    budgets.limit(MONTHLY_TOKENS, 20)
    budgets.limit(MONTHLY_TOKENS, 1000, Source.TENANT)
    assert refused(budgets.submit(job(21)))
    budgets.limit(MONTHLY_TOKENS, 5, Source.TENANT)
    (outcome,) = budgets.submit(job(6))
    assert outcome.refusal is not None
    assert outcome.refusal.source is Source.TENANT


def test_what_costs_nothing_is_never_refused(budgets: Budgets) -> None:
    budgets.limit(MONTHLY_CENTS, 0)
    assert not refused(budgets.submit(job(10, "0")))
    assert refused(budgets.submit(job(10, "0.000001")))


def test_a_new_window_begins_with_nothing(budgets: Budgets, admin: Connection) -> None:
    budgets.limit(MONTHLY_TOKENS, 50)
    one = job(50)
    budgets.submit(one)
    for table, column in (("quota_windows", "starts_at"), ("jobs", "created_at")):
        admin.execute(
            f"update public.{table} set {column} = {column} - interval '1 month' where tenant_id = %s",  # noqa: S608
            (budgets.tenant,),
        )
    admin.execute(
        "update public.jobs set reserved = jsonb_set(reserved, '{0,starts_at}',"
        " to_jsonb((reserved #>> '{0,starts_at}')::timestamptz - interval '1 month')) where id = %s",
        (one.id,),
    )
    two = job(50)
    assert not refused(budgets.submit(two)), "last month's job takes nothing of this month"
    budgets.end(one.id, paid(tokens=40))
    assert budgets.figures() == (0, 50)
    before = admin.execute(
        "select used, reserved from public.quota_windows where tenant_id = %s order by starts_at limit 1",
        (budgets.tenant,),
    ).fetchone()
    assert before == {"used": 40, "reserved": 0}, "it counts where it was submitted"


def test_a_dead_letter_is_replayed_only_where_there_is_room(budgets: Budgets) -> None:
    letters = [job(30), job(30)]
    budgets.submit(*letters)
    for letter in letters:
        budgets.end(letter.id, failed=True)
    budgets.limit(MONTHLY_TOKENS, 50)
    new = [job().id, job().id]
    replays = budgets.run(dead_letters.replay(budgets.tenant, Filter(), new, None))
    assert [(one.new, one.refusal is None) for one in replays] == [(new[0], True), (new[1], False)]
    assert budgets.figures() == (0, 30)
    (read,) = budgets.run(jobs.get(budgets.tenant, letters[1].id))
    assert read.replayed_as is None
    budgets.end(new[0], paid(tokens=1))
    again = budgets.run(dead_letters.replay(budgets.tenant, Filter(), [job().id], None))
    assert [(one.old, one.refusal) for one in again] == [(letters[1].id, None)]
