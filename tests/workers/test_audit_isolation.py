"""Two tenants with the same questions, answers and namespaces: what is judged of one leaves the other alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from conftest import Tenant
from workers.auditing import DIFFERENT, SAME, Cache, Open, open_cache, play
from workers.test_audit_feedback import say

from aico.store import feedback
from aico.store.statement import Statement
from aico.workers import cache_calibration, compare

__all__ = ["open_cache", "play"]

FRANCE, NAMED, ITALY = "What is the capital of France?", "Name the capital of France.", "And of Italy?"
PARIS = "The capital is Paris."
TABLES = ("cache_checks", "cache_entries", "cache_namespaces", "cache_vectors", "feedback", "outcomes", "shadow_pairs")


@dataclass
class Twins:
    mine: Cache
    theirs: Cache
    entry: UUID  # mine, of the same question and answer as
    their_entry: UUID

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """Of theirs."""
        return {name: self.theirs.rows(f"select * from {name} where tenant_id = %s", None) for name in TABLES}  # noqa: S608


@pytest.fixture
def twins(open_cache: Open, make_tenant: Callable[[], Tenant]) -> Twins:
    mine = open_cache()
    theirs = replace(mine, tenant=make_tenant())
    entries = [one.keep(FRANCE, PARIS) for one in (mine, theirs)]
    for one in (mine, theirs):
        one.scene.admin.execute("update cache_entries set good = 30 where tenant_id = %s", (one.tenant.id,))
    return Twins(mine, theirs, *entries)


def settle(cache: Cache, job: UUID) -> list[Any]:
    query = "select * from private.settle_check(%(tenant)s, %(job)s, false, 'user', '{1}')"
    return cache.run(Statement(query, {"tenant": cache.tenant.id, "job": job}, dict))


def test_the_same_answers_are_of_one_group_in_each_tenant_and_are_joined_in_one_alone(twins: Twins) -> None:
    """A group's name follows from the words of its answer, so that both tenants have the same."""
    twins.mine.scene.server.judging = lambda _: SAME
    groups = [
        cache.entry_of(cache.miss(NAMED, entry, "Paris it is."))["answer_group"]
        for cache, entry in ((twins.mine, twins.entry), (twins.theirs, twins.their_entry))
    ]
    assert groups[0] == groups[1]
    before = twins.state()
    (job,) = [row["job_id"] for row in twins.mine.rows("select job_id from cache_checks where tenant_id = %s", None)]
    assert twins.mine.audit(job)["verdict"] is True
    assert twins.mine.entry_of(job)["answer_group"] == twins.mine.entries(twins.entry)[0]["answer_group"] != groups[0]
    after = twins.state()
    for name in ("cache_checks", "shadow_pairs"):  # the sweeper has looked at theirs too
        del before[name], after[name]
    assert after == before


@pytest.mark.parametrize("verdict", [SAME, DIFFERENT])
def test_a_verdict_on_one_tenants_hit_changes_nothing_of_the_others(twins: Twins, verdict: str) -> None:
    twins.mine.scene.server.judging = lambda _: verdict
    before = twins.state()
    job = twins.mine.hit(ITALY, twins.entry)
    twins.mine.audit(job)
    cache_calibration.work_on(twins.mine.scene.runtime, twins.mine.tenant.id, job)
    say(twins.mine, job, 0.0)
    assert twins.state() == before
    assert twins.theirs.near(ITALY) == [twins.their_entry]
    assert twins.mine.near(ITALY) == []


def test_nobody_settles_judges_or_computes_by_anothers_job(twins: Twins) -> None:
    job = twins.theirs.hit(ITALY, twins.their_entry)
    before = twins.state()
    assert settle(twins.mine, job) == []
    assert twins.mine.run(feedback.give(twins.mine.tenant.id, job, score=0.0, comment=None)) == []
    cache_calibration.work_on(twins.mine.scene.runtime, twins.mine.tenant.id, job)
    compare.work_on(twins.mine.scene.runtime, twins.mine.scene.comparer, twins.mine.tenant.id, job)
    assert twins.state() == before
    assert twins.mine.verdicts() == 0


def test_a_check_that_names_anothers_entry_reaches_nothing_of_it(twins: Twins) -> None:
    """As if a fault or a caller had brought the id in."""
    twins.mine.scene.server.judging = lambda _: SAME
    before = twins.state()
    hit = twins.mine.hit(NAMED, twins.entry, drawn=False)
    (job,) = twins.mine.rows("select * from jobs where tenant_id = %s order by id desc limit 1", None)
    assert job["id"] == hit
    twins.mine.scene.admin.execute(
        "insert into cache_checks (tenant_id, job_id, namespace, entry_id, kind, chance, similarity, score, features,"
        " fingerprint) values (%s, %s, %s, %s, 'hit', 1, 0.9, 1, '{1,1,0,0,0}', %s)",
        (twins.mine.tenant.id, hit, job["namespace"], twins.their_entry, job["fingerprint"]),
    )
    miss = twins.mine.miss(ITALY, twins.their_entry, "It is Rome.")
    for one in (hit, miss):
        twins.mine.audit(one)
        settle(twins.mine, one)
    assert twins.state() == before
    assert twins.mine.rows("select * from cache_entries where tenant_id = %s and asked_by is not null", None) == []


def test_what_was_said_against_an_answer_by_one_tenant_does_not_keep_it_from_the_other(twins: Twins) -> None:
    twins.mine.scene.server.judging = lambda _: DIFFERENT
    for cache, entry in ((twins.mine, twins.entry), (twins.theirs, twins.their_entry)):
        assert cache.near(ITALY) == [entry]
    twins.mine.audit(twins.mine.miss(ITALY, twins.entry, "It is Rome."))
    assert twins.entry not in twins.mine.near(ITALY)
    assert twins.their_entry in twins.theirs.near(ITALY)
