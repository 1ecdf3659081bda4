"""Which decisions of the cache are written down to be judged, with the real database."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from builders import new_job
from conftest import Tenant
from workers.looking import HELD, SERVED, TOO_LOW, Cache, Open, open_cache
from workers.test_embed import answer, store

from aico.caching.sampling import audit_chance
from aico.caching.scoring import FEATURES, score
from aico.core.assignment import fraction
from aico.core.jobs import CacheMode, JobStatus
from aico.store import claims
from aico.store.claims import Ending
from aico.store.scope import Scope
from aico.workers.lookup import Looked

__all__ = ["open_cache"]

OFTEN = f"{TOO_LOW}, judged = 3999, verdicts = 3999"


def test_a_hit_that_is_drawn_becomes_a_check_with_all_that_it_was_decided_by(open_cache: Open) -> None:
    cache = open_cache()
    entry = cache.keep("france capital")
    cache.knows(SERVED)
    (job,) = cache.ask("france seat of government")
    assert cache.status(job) is JobStatus.COMPLETED
    (check,) = cache.checks()
    assert (check["job_id"], check["entry_id"], check["kind"]) == (job.id, entry, "hit")
    assert (check["namespace"], check["fingerprint"]) == (job.key.namespace, job.key.fingerprint)
    assert (check["chance"], check["sampled"], check["status"], check["verdict"]) == (1.0, True, "waiting", None)
    assert check["similarity"] == pytest.approx(1, abs=1e-3)
    assert len(check["features"]) == len(FEATURES)
    assert check["score"] == pytest.approx(score(check["features"], (0.0, 1.0, 0.0, 0.0, 0.0)))
    assert (check["embedding"] is not None, check["embedding_model"]) == (True, "known")


def test_the_score_is_by_the_namespaces_own_weights(open_cache: Open) -> None:
    cache = open_cache()
    cache.keep("france capital")
    own = (1.0, 0.5, -0.25, 2.0, 3.0)
    cache.knows(f"{SERVED}, weights = array{list(own)}")
    cache.ask("france seat of government")
    (check,) = cache.checks()
    assert check["score"] == pytest.approx(score(check["features"], own))


@pytest.mark.parametrize(("known", "kind"), [(TOO_LOW, "near"), (HELD, "held")])
def test_what_is_not_served_is_checked_with_the_jobs_own_answer(open_cache: Open, known: str, kind: str) -> None:
    cache = open_cache()
    entry = cache.keep("france capital")
    cache.knows(known)
    (job,) = cache.ask("france seat of government")
    assert cache.status(job) is JobStatus.QUEUED
    (check,) = cache.checks()
    assert (check["job_id"], check["entry_id"], check["kind"], check["chance"]) == (job.id, entry, kind, 1.0)
    (looked_at,) = cache.rows("select near_entry from jobs where tenant_id = %s and status = 'queued'")
    assert looked_at["near_entry"] == entry
    answer(cache.runtime, cache.tenant, job)
    assert [one["kind"] for one in cache.checks()] == [kind]


def test_what_a_guard_objects_to_is_near_and_not_held(open_cache: Open) -> None:
    cache = open_cache(cache_guards="strict")
    cache.keep("weeks of 3 months")
    cache.knows(HELD)
    cache.ask("weeks of 4 months")
    assert [check["kind"] for check in cache.checks()] == ["near"]


def test_a_tenants_own_guards_take_the_place_of_the_services(open_cache: Open) -> None:
    cache = open_cache(cache_guards="strict")
    cache.admin.execute("update tenants set cache_guards = 'off' where id = %s", (cache.tenant.id,))
    cache.keep("weeks of 3 months")
    cache.knows(SERVED)
    (job,) = cache.ask("weeks of 4 months")
    assert cache.status(job) is JobStatus.COMPLETED


def test_a_question_that_is_bound_to_its_time_gets_no_answer_that_was_kept_as_long_as_any(open_cache: Open) -> None:
    """Nor is a model asked about that one, nor is it compared with."""
    cache = open_cache()
    cache.keep("library open?")
    cache.knows(SERVED)
    (now,) = cache.ask("library open now?")
    assert (cache.status(now), cache.checks()) == (JobStatus.QUEUED, [])
    (looked_at,) = cache.rows("select near_entry from jobs where tenant_id = %s and status = 'queued'")
    assert looked_at["near_entry"] is None
    answer(cache.runtime, cache.tenant, now)
    (again, lasting) = cache.ask("library open right now?", "library open, is it?")
    assert [cache.status(job) for job in (again, lasting)] == [JobStatus.COMPLETED] * 2


def test_where_nothing_is_near_nothing_is_checked(open_cache: Open) -> None:
    cache = open_cache()
    cache.keep("france capital")
    cache.ask("italy capital")
    assert cache.checks() == []


def test_what_does_not_read_the_cache_is_no_decision_of_it(open_cache: Open) -> None:
    cache = open_cache()
    cache.keep("france capital")
    cache.knows(SERVED)
    (job,) = cache.ask("france again", mode=CacheMode.REFRESH)
    assert cache.status(job) is JobStatus.QUEUED
    assert cache.checks() == []


@pytest.mark.parametrize(
    "changes",
    [{"judge_model": None}, {"judge_daily_budget_cents": 0}, {"judge_service_budget_cents": 0}],
    ids=["no judge", "no money of the tenant's", "no money of the service's"],
)
@pytest.mark.parametrize("known", [SERVED, TOO_LOW, HELD], ids=["hit", "near", "held"])
def test_without_a_judge_or_money_for_one_nothing_is_drawn(
    open_cache: Open, changes: dict[str, Any], known: str
) -> None:
    cache = open_cache(**changes)
    cache.keep("france capital")
    cache.knows(known)
    (job,) = cache.ask("france seat of government")
    assert (cache.status(job) is JobStatus.COMPLETED) == (known == SERVED)
    assert cache.checks() == []


def test_the_more_is_known_the_less_is_drawn_and_on_probation_everything(open_cache: Open) -> None:
    cache = open_cache(cache_audit_share=0.0)
    cache.keep("france capital")
    chances = []
    for change in (
        f"{SERVED}, audited = 19",
        f"{SERVED}, audited = 119",
        f"{TOO_LOW}, judged = 1999, verdicts = 1999",
        OFTEN,
        f"{HELD}, judged = 100000, audited = 100000",
    ):
        cache.knows(change)
        asked = [new_job(f"france number {change} {place}") for place in range(40)]
        store(cache.runtime, cache.tenant, *asked)
        found = drawn(cache.look(asked))
        chances.append((set(found.values()), len(found) == len(asked)))
        cache.admin.execute(
            "update jobs set status = 'cancelled' where tenant_id = %s and status = 'queued'", (cache.tenant.id,)
        )
    assert chances == [
        ({1.0}, True),
        ({audit_chance(119, 0.0, 0.01)}, False),
        ({1.0}, True),
        ({0.5}, False),
        ({1.0}, True),
    ]


@pytest.mark.parametrize("known", [f"{SERVED}, audited = 84", OFTEN], ids=["hit", "near"])
def test_the_same_job_is_drawn_the_same_each_time(open_cache: Open, known: str) -> None:
    """By its id, under a salt of the tenant's that callers do not know."""
    cache = open_cache(cache_audit_share=0.0)
    cache.keep("france capital")
    cache.knows(known)
    asked = [new_job(f"france number {place}") for place in range(40)]
    store(cache.runtime, cache.tenant, *asked)
    first, second = (drawn(cache.look(asked)) for _ in range(2))
    assert first == second
    (row,) = cache.rows("select draw_salt from tenants where id = %s")
    (chance,) = set(first.values())
    assert chance == pytest.approx(0.5, abs=0.02)
    assert set(first) == {job.id for job in asked if fraction(f"{row['draw_salt']}/cache", str(job.id)) < chance}


def drawn(looked: Looked) -> dict[UUID, float]:
    hits = {one.id: one.check for one in looked.hits}
    passed = {one.job.id: one.check for one in looked.passed}
    return {job: check.chance for job, check in (hits | passed).items() if check is not None}


def test_a_check_of_a_hit_is_stored_only_with_the_hit(open_cache: Open) -> None:
    """The entry goes before the hit is stored: the job is taken on again, and what was drawn is void."""
    cache = open_cache()
    entry = cache.keep("france capital")
    cache.knows(SERVED)
    (job,) = [new_job("france seat of government")]
    store(cache.runtime, cache.tenant, job)
    (hit,) = cache.look([job]).hits
    assert hit.check is not None
    cache.admin.execute("delete from cache_entries where id = %s", (entry,))
    assert finish(cache, hit) == []
    assert (cache.checks(), cache.status(job)) == ([], JobStatus.QUEUED)


def finish(cache: Cache, ending: Ending) -> list[UUID]:
    statement = claims.finish(cache.tenant.id, [ending], 3600)
    return [one.id for one in cache.runtime.database.run(Scope.tenant(cache.tenant.id), statement)]


def test_a_hit_that_was_stored_before_is_checked_once(open_cache: Open) -> None:
    cache = open_cache()
    cache.keep("france capital")
    cache.knows(SERVED)
    job = new_job("france seat of government")
    store(cache.runtime, cache.tenant, job)
    (hit,) = cache.look([job]).hits
    assert [finish(cache, hit) for _ in range(2)] == [[job.id], []]
    assert len(cache.checks()) == 1


def test_several_of_a_batch_are_checked_each_by_itself(open_cache: Open) -> None:
    cache = open_cache()
    entries = [cache.keep(prompt) for prompt in ("france capital", "italy capital")]
    cache.knows(SERVED)
    asked = cache.ask("france seat", "italy seat", "spain seat")
    assert [cache.status(job) for job in asked] == [JobStatus.COMPLETED] * 2 + [JobStatus.QUEUED]
    assert {check["job_id"]: check["entry_id"] for check in cache.checks()} == {
        asked[0].id: entries[0],
        asked[1].id: entries[1],
    }


def test_nothing_is_near_that_another_tenant_keeps_in_a_namespace_of_the_same_hash(
    open_cache: Open, make_tenant: Callable[[], Tenant]
) -> None:
    """Neither its entries, nor what is known of them, nor what was said against them."""
    owner = open_cache()
    intruder = replace(owner, tenant=make_tenant())
    owner.keep("france capital")
    owner.knows(SERVED)
    (asked,) = intruder.ask("france seat of government")
    assert (intruder.status(asked), intruder.checks()) == (JobStatus.QUEUED, [])
    assert intruder.rows("select near_entry from jobs where tenant_id = %s") == [{"near_entry": None}]
    entry = intruder.keep("france capital")
    owner.knows(HELD)
    intruder.knows(SERVED)
    (served,) = intruder.ask("france seat, if you please")
    assert intruder.status(served) is JobStatus.COMPLETED
    assert [check["entry_id"] for check in intruder.checks()] == [entry]
    assert owner.checks() == []
