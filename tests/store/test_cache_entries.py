"""How long answers are kept, how often they were served, how many there are, and which go first."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from builders import completed, new_job, passed, unit_vector
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from store.keeping import DAY, SERVICE_TTL, Kept, add_up

from aico.core.access import OPERATOR
from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.ids import new_id
from aico.core.jobs import CacheMode
from aico.store import (
    cache,
    cache_entries,
    cache_namespaces,
    claims,
    embeddings,
    jobs,
    retention,
    tenants,
)
from aico.store.blocking import Database
from aico.store.cache_entries import Which
from aico.store.retention import Retention
from aico.store.scope import Scope

MANY = 1_000_000


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(postgres.admin_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def kept(database: Database, admin: psycopg.Connection[dict[str, Any]], tenant: Tenant) -> Kept:
    return Kept(database, admin, tenant.id)


def test_an_answer_lives_as_long_as_the_service_says_or_its_own_lifetime_if_that_is_shorter(kept: Kept) -> None:
    kept.keep("usual")
    kept.keep("short", lifetime=900)
    kept.keep("long", lifetime=SERVICE_TTL + DAY)
    assert kept.lifetimes() == [SERVICE_TTL, 900, SERVICE_TTL]


def test_a_namespaces_lifetime_wins_over_the_services_and_the_short_one_caps_it(kept: Kept) -> None:
    kept.keep("first")
    kept.set_ttl(30 * DAY)
    kept.keep("second")
    kept.keep("third", lifetime=900)
    kept.set_ttl(60)
    kept.keep("fourth", lifetime=900)
    kept.set_ttl(None)
    kept.keep("fifth")
    assert kept.lifetimes() == [SERVICE_TTL, 30 * DAY, 900, 60, SERVICE_TTL]


def test_no_lifetime_outlasts_the_tenants_retention(kept: Kept) -> None:
    kept.database.run(kept.scope, retention.put(kept.tenant, Retention(cache=2), OPERATOR))
    kept.keep("first")
    kept.set_ttl(30 * DAY)
    kept.keep("second")
    kept.set_ttl(DAY)
    kept.keep("third")
    assert kept.lifetimes() == [2 * DAY, 2 * DAY, DAY]


def test_a_lifetime_that_is_set_later_holds_for_what_was_kept_before(kept: Kept) -> None:
    old, new = kept.keep("old", "new")
    kept.age("old", 3)
    kept.set_ttl(2 * DAY)
    kept.database.run(Scope.system(), cache.purge_expired(1000))
    assert kept.jobs() == {new.id}
    assert old.id != new.id


def test_a_lifetime_of_another_namespace_changes_nothing_here(kept: Kept, make_tenant: Callable[[], Tenant]) -> None:
    other = replace(kept, tenant=make_tenant().id)
    for one in (kept, other):
        one.keep("old")
        one.age("old", 3)
    other.set_ttl(DAY)
    kept.database.run(Scope.system(), cache.purge_expired(1000))
    assert len(kept.jobs()) == 1
    assert other.jobs() == set()


def test_hits_are_counted_once_they_are_booked_and_only_once(kept: Kept) -> None:
    kept.keep("often", "never")
    hits = [kept.hit("often") for _ in range(3)]
    assert [one.hits for one in kept.entries()] == [0, 0]
    kept.book(hits)
    kept.book(hits)
    shown = {one.job: (one.hits, one.hit_at is not None) for one in kept.entries()}
    assert sorted(shown.values()) == [(0, False), (3, True)]


def test_a_hit_by_meaning_is_counted_like_an_exact_one(kept: Kept) -> None:
    first, second = new_job("capital of france"), new_job("france's capital")
    for job in (first, second):
        kept.database.run(kept.scope, jobs.submit(kept.tenant, [job]))
        found = kept.database.run(kept.scope, embeddings.to_embed(kept.tenant, [job.id], 0.95))
        kept.database.run(kept.scope, embeddings.advance(kept.tenant, passed(found, [unit_vector(1)]), "variant"))
    assert kept.database.run(kept.scope, claims.finish(kept.tenant, [completed(first.id, 0)], SERVICE_TTL))
    (entry,) = kept.entries()
    served = replace(completed(second.id, 0, keep=False), entry=entry.id, attempts=(semantic_hit(),))
    assert kept.database.run(kept.scope, claims.finish(kept.tenant, [served], SERVICE_TTL))
    kept.book([second])
    assert [(one.id, one.hits) for one in kept.entries()] == [(entry.id, 1)]


def semantic_hit() -> Attempt:
    return Attempt(
        id=new_id(),
        at=datetime.now(UTC),
        kind=AttemptKind.SEMANTIC_HIT,
        outcome=AttemptOutcome.OK,
        provider="local",
        model="smollm2-135m",
        latency_ms=1,
        cost_cents=Decimal(0),
    )


def test_what_is_kept_is_known_without_counting_it(kept: Kept, make_tenant: Callable[[], Tenant]) -> None:
    other = replace(kept, tenant=make_tenant().id)
    kept.keep("one", "two", "three")
    other.keep("one")
    assert kept.size() == kept.really()
    refreshed = new_job("two", mode=CacheMode.REFRESH)
    kept.database.run(kept.scope, jobs.submit(kept.tenant, [refreshed]))
    ending = completed(refreshed.id, 0, text="It is " + "very " * 50 + "long.")
    assert kept.database.run(kept.scope, claims.finish(kept.tenant, [ending], SERVICE_TTL))
    assert kept.size() == kept.really()
    kept.book([kept.hit("two")])  # an update that changes no size
    gone = cache_entries.forget(kept.tenant, Which("id", str(kept.entries()[-1].id)), OPERATOR, limit=10)
    assert kept.database.run(kept.scope, gone) == [1]
    assert kept.size() == kept.really()
    assert kept.size()[0] == 2
    assert other.size() == other.really()
    assert other.size()[0] == 1


def test_a_namespace_goes_with_its_last_answer_unless_something_is_known_of_it(kept: Kept) -> None:
    def there() -> list[tuple[int, int | None]]:
        add_up(kept.database)
        found = kept.database.run(kept.scope, cache_namespaces.page(kept.tenant, limit=10))
        return [(one.entries, one.ttl_seconds) for one in found]

    everything = cache_entries.forget(kept.tenant, Which("all"), OPERATOR, limit=10)
    kept.keep("one", "two")
    assert there() == [(2, None)]
    assert kept.database.run(kept.scope, everything) == [2]
    assert there() == []
    kept.keep("three")
    kept.set_ttl(DAY)
    assert kept.database.run(kept.scope, everything) == [1]
    assert there() == [(0, DAY)]
    kept.keep("four")
    assert there() == [(1, DAY)]


def test_sums_of_a_tenant_that_is_gone_trouble_nobody(kept: Kept) -> None:
    kept.keep("one")
    kept.admin.execute("delete from tenants where id = %s", (kept.tenant,))
    add_up(kept.database)
    assert kept.database.run(Scope.system(), cache.add_up(10)) == [0]
    left = kept.admin.execute("select from cache_sizes where tenant_id = %s", (kept.tenant,)).fetchall()
    assert left == []


def test_whoever_keeps_too_many_loses_what_was_not_used_for_longest(
    kept: Kept, make_tenant: Callable[[], Tenant]
) -> None:
    other = replace(kept, tenant=make_tenant().id)
    new = {name: kept.keep(name)[0].id for name in ("a", "b", "c", "d", "e")}
    others = other.keep("a", "b", "c")
    for days, name in enumerate(("e", "d", "c", "b", "a"), start=1):
        kept.age(name, days)
    kept.book([kept.hit("a")])  # the oldest has just been served
    kept.evict(most=3)
    assert kept.jobs() == {new["a"], new["e"], new["d"]}
    assert other.jobs() == {job.id for job in others}


def test_a_tenant_may_keep_fewer_than_the_service_allows_and_never_more(
    kept: Kept, make_tenant: Callable[[], Tenant]
) -> None:
    greedy = replace(kept, tenant=make_tenant().id)
    for one, most in ((kept, 1), (greedy, MANY)):
        one.database.run(one.scope, tenants.change(one.tenant, OPERATOR, {"cache_max_entries": most}))
        one.keep("a", "b", "c", "d")
    kept.evict(most=3)
    assert (len(kept.jobs()), len(greedy.jobs())) == (1, 3)


def test_whoever_keeps_too_much_loses_what_was_not_used_for_longest(
    kept: Kept, make_tenant: Callable[[], Tenant]
) -> None:
    """As few answers as bring it down."""
    other = replace(kept, tenant=make_tenant().id)
    new = {name: kept.keep(name, text=name * 1000)[0].id for name in ("a", "b", "c", "d", "e")}
    other.keep("a", "b", "c")
    for days, name in enumerate(("e", "d", "c", "b", "a"), start=1):
        kept.age(name, days)
    kept.book([kept.hit("a")])  # the oldest has just been served
    others, each = other.size(), kept.size()[1] // 5
    assert each > 1000
    kept.evict(most_bytes=5 * each - 100)
    assert kept.jobs() == {new[name] for name in ("a", "c", "d", "e")}
    kept.evict(most_bytes=3 * each - 100)
    assert kept.jobs() == {new["a"], new["e"]}
    assert other.size() == others


def test_least_recently_used_answers_are_found_along_an_index(postgres: Postgres, tenant: Tenant) -> None:
    with psycopg.connect(postgres.admin_url) as connection:
        connection.execute("set enable_seqscan = off")
        connection.execute("set enable_bitmapscan = off")
        connection.execute("set enable_sort = off")
        search = (
            "explain select id from cache_entries where tenant_id = %s order by coalesce(hit_at, created_at) limit 10"
        )
        plan = "\n".join(row[0] for row in connection.execute(search, (tenant.id,)))
    assert "cache_entries_used" in plan
    assert "Sort  (" not in plan
