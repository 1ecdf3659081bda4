"""How far the cache is trusted in a namespace, computed of what was judged there, in the real database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from builders import new_job
from conftest import Tenant
from workers.auditing import DIFFERENT, Open, open_cache, play
from workers.calibrating import Judged, judged
from workers.test_audit_feedback import say

from aico.caching.scoring import FEATURES_VERSION
from aico.caching.watching import SURPRISING
from aico.core.cache_policy import Basis
from aico.store import cache_checks, tenants
from aico.store.cache_checks import DueNamespace
from aico.store.scope import Scope
from aico.workers import cache_calibration
from aico.workers.cache_calibration import computed_of
from aico.workers.sweep import Sweeper

__all__ = ["judged", "open_cache", "play"]

RIGHT, WRONG = True, False
ENOUGH = 320  # right ones for a test at 1 %
USUAL = Basis(FEATURES_VERSION, None, 0.01, 0.9)


def due(judged: Judged) -> set[UUID]:
    """Of the tenant's, the jobs by which the sweeper would ring."""
    found: list[DueNamespace] = judged.runtime.database.run(Scope.system(), cache_checks.due(limit=100_000))
    return {one.job for one in found if one.tenant == judged.tenant.id}


def test_what_was_judged_becomes_a_cut_with_its_bound(judged: Judged) -> None:
    known = judged.calibrate(judged.judge(*[RIGHT] * ENOUGH))
    assert known["state"] == "serving"
    assert known["cut"] is not None
    assert len(known["weights"]) == 5
    assert 0 < known["bound"] < 0.01
    assert [known[name] for name in ("judged", "above", "wrong", "audited")] == [ENOUGH, ENOUGH, 0, ENOUGH]
    assert (known["verdicts"], known["computed"]) == (ENOUGH, ENOUGH)
    assert known["computed_at"] is not None
    assert known["evidence_since"] is None


def test_what_was_not_served_is_a_sample_and_no_audit(judged: Judged) -> None:
    judged.judge(*[RIGHT] * 30, kind="hit")
    judged.judge(*[WRONG] * 20, kind="near", pair=-4.0)
    known = judged.calibrate(judged.judge(*[RIGHT] * 10, kind="held"))
    assert (known["state"], known["judged"], known["audited"]) == ("learning", 60, 30)


def test_a_bell_that_rings_again_computes_nothing(judged: Judged) -> None:
    job = judged.judge(*[RIGHT] * 30)
    first = judged.calibrate(job)
    assert judged.calibrate(job) == first


def test_a_bell_for_what_was_never_checked_does_nothing(judged: Judged) -> None:
    before = judged.calibrate(judged.judge(RIGHT))
    assert judged.calibrate(new_job("unknown").id) == before


def test_few_new_verdicts_wait_for_others_unless_they_are_old(judged: Judged) -> None:
    judged.calibrate(judged.judge(*[RIGHT] * 30))
    job = judged.judge(RIGHT)
    assert judged.calibrate(job)["computed"] == 30
    assert due(judged) == set()
    judged.alter("cache_namespaces", "computed_at = computed_at - interval '2 minutes'")
    assert due(judged) == {job}
    assert judged.calibrate(job)["computed"] == 31


def test_enough_new_verdicts_are_computed_with_at_once(judged: Judged) -> None:
    judged.calibrate(judged.judge(*[RIGHT] * 30))
    job = judged.judge(*[RIGHT] * cache_checks.ENOUGH_VERDICTS)
    assert due(judged) == {job}
    assert judged.calibrate(job)["computed"] == 30 + cache_checks.ENOUGH_VERDICTS
    assert due(judged) == set()


def test_a_wrong_hit_has_consequences_at_once_and_what_scored_too_little_has_not(judged: Judged) -> None:
    judged.calibrate(judged.judge(*[RIGHT] * 30))
    assert judged.calibrate(judged.judge(WRONG, kind="near", pair=-4.0))["computed"] == 30
    known = judged.calibrate(judged.judge(WRONG))
    assert (known["state"], known["computed"]) == ("probation", 32)


def test_on_probation_each_verdict_counts_at_once_and_right_ones_end_it(judged: Judged) -> None:
    judged.calibrate(judged.judge(*[RIGHT] * 30, WRONG))
    states = [judged.calibrate(judged.judge(RIGHT, kind="held"))["state"] for _ in range(45)]
    assert states[0] == "probation"
    assert states[-1] == "learning"
    assert states == sorted(states, reverse=True)  # it ends once


def test_further_wrong_ones_suspend_it_and_the_time_before_no_longer_counts(judged: Judged) -> None:
    before = judged.calibrate(judged.judge(*[RIGHT] * ENOUGH))
    changed = judged.calibrate(judged.judge(*[WRONG] * 4))
    assert (before["state"], changed["state"]) == ("serving", "suspended")
    assert changed["evidence_since"] == judged.at
    assert [changed[name] for name in ("cut", "weights", "bound")] == [None] * 3
    assert [changed[name] for name in ("judged", "above", "wrong", "audited")] == [0, 0, 0, 0]
    later = judged.calibrate(judged.judge(*[RIGHT] * 30, kind="held"))
    assert (later["state"], later["judged"]) == ("suspended", 30)
    assert later["evidence_since"] == changed["evidence_since"]
    risen = judged.calibrate(judged.judge(*[RIGHT] * ENOUGH, kind="held"))
    assert (risen["state"], risen["judged"]) == ("serving", 30 + ENOUGH)


def test_a_tenants_own_rate_decides(judged: Judged, make_tenant: Callable[[], Tenant]) -> None:
    lenient = judged.another(make_tenant())
    lenient.alter("tenants", "max_error_rate = 0.1")
    states = [one.calibrate(one.judge(*[RIGHT] * 60))["state"] for one in (judged, lenient)]
    assert states == ["learning", "serving"]


def test_the_highest_rate_that_may_be_set_can_be_computed_with(judged: Judged) -> None:
    judged.alter("tenants", "max_error_rate = 0.5")
    known = judged.calibrate(judged.judge(*[RIGHT, WRONG, RIGHT] * 40))
    assert known["computed"] == 120


def test_a_rate_that_is_changed_is_computed_with_soon(judged: Judged) -> None:
    change = tenants.change(judged.tenant.id, "somebody", {"max_error_rate": 0.1})
    job = judged.judge(*[RIGHT] * 60)
    assert judged.calibrate(job)["state"] == "learning"
    judged.run(tenants.change(judged.tenant.id, "somebody", {"cache_guards": "off"}))
    assert due(judged) == set()
    judged.run(change)
    assert due(judged) == {job}
    assert judged.calibrate(job)["state"] == "serving"
    judged.run(tenants.change(judged.tenant.id, "somebody", {"max_error_rate": None}))
    assert judged.calibrate(job)["state"] == "learning"
    assert due(judged) == set()


def test_what_was_computed_for_a_rate_that_no_longer_holds_is_not_kept(judged: Judged) -> None:
    job = judged.judge(*[RIGHT] * 60)
    (found,) = judged.run(cache_checks.judged(judged.tenant.id, job, SURPRISING, USUAL))
    judged.run(tenants.change(judged.tenant.id, "somebody", {"max_error_rate": 0.001}))
    judged.run(cache_checks.keep(judged.tenant.id, found, computed_of(found, [], 0.01, 0.9)))
    assert (judged.known()["computed"], due(judged)) == (0, {job})


def test_what_was_computed_of_more_is_not_replaced_by_what_was_computed_of_less(judged: Judged) -> None:
    job = judged.judge(*[RIGHT] * 30)
    (older,) = judged.run(cache_checks.judged(judged.tenant.id, job, SURPRISING, USUAL))
    of_less = judged.run(cache_checks.verdicts(judged.tenant.id, older, complaints=True, limit=4000))
    newer = judged.calibrate(judged.judge(WRONG))
    late = computed_of(older, of_less[::-1], 0.01, 0.9)
    judged.run(cache_checks.keep(judged.tenant.id, older, late))
    assert (late.state, newer["state"]) == ("learning", "probation")
    assert judged.known() == newer


def test_several_workers_at_once_leave_what_the_latest_verdicts_say(judged: Judged) -> None:
    asked = [judged.judge(*[RIGHT] * 30) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda job: cache_calibration.work_on(judged.runtime, judged.tenant.id, job), asked * 2))
    known = judged.known()
    assert (known["computed"], known["judged"], known["audited"]) == (120, 120, 120)


def test_what_callers_like_of_their_own_accord_is_no_evidence_and_what_they_complain_of_is_an_alarm(
    judged: Judged,
) -> None:
    liked = judged.calibrate(judged.judge(*[RIGHT] * ENOUGH, sampled=False))
    assert (liked["state"], liked["judged"], liked["bound"]) == ("learning", 0, None)
    complained = judged.calibrate(judged.judge(WRONG, sampled=False))
    assert (complained["state"], complained["judged"]) == ("probation", 0)


def test_a_complaint_stops_nothing_where_nobody_could_find_out_more(judged: Judged) -> None:
    judged.alter("tenants", "judge_daily_cents = 0")
    known = judged.calibrate(judged.judge(WRONG, sampled=False))
    assert (known["state"], known["judged"], known["computed"]) == ("learning", 0, 1)


def test_what_is_said_of_an_exact_hit_says_nothing_of_others(judged: Judged) -> None:
    judged.judge(WRONG, kind="exact", sampled=False)
    known = judged.calibrate(judged.judge(*[RIGHT] * 30))
    assert (known["state"], known["judged"]) == ("learning", 30)


def test_only_the_latest_verdicts_are_read(judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_calibration, "SAMPLES", 25)
    judged.judge(WRONG)
    known = judged.calibrate(judged.judge(*[RIGHT] * 30))
    assert (known["state"], known["judged"]) == ("learning", 25)


def test_verdicts_of_the_same_questions_of_another_tenant_do_not_count(
    judged: Judged, make_tenant: Callable[[], Tenant]
) -> None:
    """Both have the same namespace, by its hash."""
    stranger = judged.another(make_tenant())
    theirs = stranger.judge(*[WRONG] * 20)
    mine = judged.calibrate(judged.judge(*[RIGHT] * 30))
    assert (mine["state"], mine["judged"], mine["verdicts"]) == ("learning", 30, 30)
    assert stranger.known()["computed"] == 0
    assert judged.calibrate(theirs) == mine  # with another's job nothing is found
    assert stranger.calibrate(theirs)["state"] == "suspended"
    assert judged.known() == mine


def test_the_sweeper_rings_for_what_is_due(judged: Judged) -> None:
    job = judged.judge(*[RIGHT] * 30)
    Sweeper(judged.runtime).sweep()
    assert rings(judged.runtime.redis.lrange("learn", 0, -1), job)


def test_whoever_stores_a_verdict_rings_and_the_namespace_is_put_on_probation(open_cache: Open) -> None:
    cache = open_cache()
    cache.scene.server.judging = lambda _: DIFFERENT
    job = cache.hit("Which is the capital of Italy?", cache.keep("What is the capital of France?", "It is Paris."))
    cache.audit(job)
    assert rings(cache.scene.runtime.redis.lrange("learn", 0, -1), job)
    cache_calibration.work_on(cache.scene.runtime, cache.tenant.id, job)
    (known,) = cache.rows("select * from cache_namespaces where tenant_id = %s", None)
    assert (known["state"], known["computed"]) == ("probation", 1)


def test_a_complaint_and_its_withdrawal_are_both_heeded(open_cache: Open) -> None:
    cache = open_cache()
    entry = cache.keep("What is the capital of France?", "It is Paris.")
    cache.scene.admin.execute("update cache_entries set good = 30 where id = %s", (entry,))
    job = cache.hit("Which is the capital of Italy?", entry, drawn=False)
    states = []
    for score in (0.0, 1.0):
        say(cache, job, score)
        cache_calibration.work_on(cache.scene.runtime, cache.tenant.id, job)
        (known,) = cache.rows("select state from cache_namespaces where tenant_id = %s", None)
        states.append(known["state"])
    assert states == ["probation", "learning"]


def rings(messages: list[Any], job: UUID) -> bool:
    return any(str(job) in str(message) and "aico.calibrate" in str(message) for message in messages)


def test_the_time_of_verdicts_and_not_the_order_of_jobs_decides_what_comes_after_a_change(judged: Judged) -> None:
    """Wrong ones that were judged long ago are before what was judged since, whenever their jobs were made."""
    judged.judge(*[RIGHT] * 60)
    judged.at -= timedelta(minutes=30)
    known = judged.calibrate(judged.judge(*[WRONG] * 4))
    assert (known["state"], known["judged"]) == ("suspended", 60)
    assert known["evidence_since"] == judged.at
