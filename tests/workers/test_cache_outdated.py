"""What was computed of a namespace is used for what it holds for alone, and computed anew for what is needed now."""

from dataclasses import replace
from typing import Any

import pytest
from builders import new_job
from workers.calibrating import Judged, judged
from workers.looking import HELD, SERVED, Cache, Open, open_cache
from workers.test_cache_calibration import ENOUGH, RIGHT, WRONG, rings
from workers.test_embed import store

from aico.caching.sampling import audit_chance
from aico.caching.scoring import FEATURES_VERSION
from aico.core.jobs import JobStatus
from aico.store import jobs

__all__ = ["judged", "open_cache"]

OTHER = FEATURES_VERSION + 1  # of another release that runs beside this one
SAME = "france  capital"  # in other white space, so that it is no exact hit
OTHER_WEIGHTS = f"features_version = {OTHER}, weights = '{{1, 2}}'"


def of_service(judged: Judged, **changes: Any) -> Judged:
    """The same tenant and namespace under other settings of the service."""
    settings = judged.runtime.settings.model_copy(update=changes)
    return replace(judged, runtime=replace(judged.runtime, settings=settings))


def minutes_later(judged: Judged) -> None:
    judged.alter("cache_namespaces", "computed_at = computed_at - interval '2 minutes'")


def test_a_calibration_says_what_it_is_of_and_for(judged: Judged) -> None:
    job = judged.judge(*[RIGHT] * 30)
    judged.alter("cache_checks", "embedding_model = 'small'")
    known = judged.calibrate(job)
    assert (known["features_version"], known["embedding_model"]) == (FEATURES_VERSION, "small")
    assert (known["target"], known["confidence"]) == (0.01, 0.9)
    judged.alter("tenants", "max_error_rate = 0.1")
    minutes_later(judged)
    assert judged.calibrate(job)["target"] == 0.1


@pytest.mark.parametrize(
    ("changes", "held_for"),
    [({"cache_max_error_rate": 0.1}, (0.1, 0.9)), ({"cache_confidence": 0.6}, (0.03, 0.6))],
    ids=["more is allowed", "it need be less sure"],
)
def test_a_service_that_allows_something_else_computes_it_anew_without_a_new_verdict(
    judged: Judged, changes: dict[str, Any], held_for: tuple[float, float]
) -> None:
    usual = of_service(judged, cache_max_error_rate=0.03)
    job = usual.judge(*[RIGHT] * 60)
    assert usual.calibrate(job)["state"] == "learning"
    changed = of_service(usual, **changes)
    assert changed.calibrate(job)["state"] == "learning"  # it was computed a moment ago: others may still be at it
    minutes_later(judged)
    known = changed.calibrate(job)
    assert (known["state"], known["computed"]) == ("serving", 60)
    assert (known["target"], known["confidence"]) == held_for
    minutes_later(judged)
    assert changed.calibrate(job)["computed_at"] < known["computed_at"]  # and once


def test_it_is_found_by_any_job_of_the_namespace_and_where_no_sample_is_left_nothing_is_known(judged: Judged) -> None:
    judged.calibrate(judged.judge(*[RIGHT] * ENOUGH))
    judged.admin.execute("delete from cache_checks where tenant_id = %s", (judged.tenant.id,))
    minutes_later(judged)
    asked = new_job("no check of its own")
    judged.run(jobs.submit(judged.tenant.id, [asked]))
    assert judged.calibrate(asked.id)["state"] == "serving"
    known = of_service(judged, cache_max_error_rate=0.005).calibrate(asked.id)
    assert (known["state"], known["cut"], known["judged"], known["target"]) == ("learning", None, 0, 0.005)


def test_hits_are_held_to_what_was_allowed_when_they_were_served(judged: Judged) -> None:
    """Who allows less from now on has a stricter cut, and the samples that it takes to find one."""
    judged.alter("tenants", "max_error_rate = 0.1")
    before = judged.calibrate(judged.judge(*[RIGHT, *[RIGHT] * 18, WRONG] * 15))
    judged.alter("cache_checks", "allowed = 0.1")
    judged.alter("tenants", "max_error_rate = 0.01")
    minutes_later(judged)
    job = judged.judge(*[RIGHT] * 60, kind="held")
    known = judged.calibrate(job)
    assert (before["state"], before["evidence_since"]) == ("probation", None)
    assert (known["evidence_since"], known["judged"]) == (None, 360)


def test_samples_of_another_version_are_no_samples_whatever_their_length(judged: Judged) -> None:
    judged.judge(*[RIGHT] * ENOUGH)
    judged.alter("cache_checks", f"features_version = {OTHER}, features = '{{1, 2}}'")
    known = judged.calibrate(judged.judge(*[RIGHT] * 40))
    assert (known["state"], known["judged"], known["weights"]) == ("learning", 40, None)


def test_a_hit_that_was_wrong_is_an_alarm_whatever_scores_are_made_of(judged: Judged) -> None:
    judged.judge(*[RIGHT] * 30)
    job = judged.judge(WRONG)
    judged.alter("cache_checks", f"features_version = {OTHER}")
    known = judged.calibrate(job)
    assert (known["state"], known["judged"]) == ("probation", 0)


def test_what_another_embedding_model_saw_is_no_sample_either(judged: Judged) -> None:
    judged.judge(*[RIGHT] * ENOUGH)
    judged.alter("cache_checks", "embedding_model = 'small'")
    job = judged.judge(*[RIGHT] * 30)
    judged.alter("cache_checks", "embedding_model = coalesce(embedding_model, 'large')")
    known = judged.calibrate(job)
    assert (known["judged"], known["embedding_model"]) == (30, "large")


def test_of_hits_that_were_audited_those_that_callers_complain_of_are_none(judged: Judged) -> None:
    judged.judge(*[RIGHT] * 30)
    assert judged.calibrate(judged.judge(WRONG, sampled=False))["audited"] == 30


def known(cache: Cache, change: str) -> None:
    """Of a namespace with verdicts, whose calibration was computed under the service's own settings."""
    cache.knows("verdicts = 9, target = 0.01, confidence = 0.9, embedding_model = 'known'")
    cache.knows(change)


@pytest.mark.parametrize(
    ("change", "served", "outdated"),
    [
        (SERVED, True, False),
        (f"{SERVED}, target = 0.005", True, True),
        (f"{SERVED}, confidence = 0.95", True, True),
        (f"{SERVED}, target = 0.02", False, True),
        (f"{SERVED}, confidence = 0.8", False, True),
        (f"{SERVED}, target = null, confidence = null", True, True),
        (f"{SERVED}, {OTHER_WEIGHTS}", False, True),
        (f"{SERVED}, embedding_model = 'another'", False, False),
        (f"{SERVED}, target = 0.02, verdicts = 0", False, False),
    ],
)
def test_a_cut_serves_only_where_it_is_strict_enough_and_of_the_same_scores(
    open_cache: Open, change: str, *, served: bool, outdated: bool
) -> None:
    """What does not hold is as in a new namespace: the verifier would serve neither."""
    cache = open_cache()
    cache.keep("france capital")
    known(cache, change)
    asked = [new_job(f"france {what}") for what in ("oldest bridge", "largest port")]
    store(cache.runtime, cache.tenant, *asked)
    looked = cache.look(asked)
    assert len(looked.hits) == (2 if served else 0)
    assert len(looked.outdated) == outdated  # one of the namespace
    assert set(looked.outdated) <= {job.id for job in asked}


def test_what_is_not_served_by_another_version_is_not_served_by_this_one(open_cache: Open) -> None:
    cache = open_cache()
    cache.keep("france capital")
    known(cache, f"{HELD}, {OTHER_WEIGHTS}")
    asked = new_job(SAME)
    store(cache.runtime, cache.tenant, asked)
    (passed,) = cache.look([asked]).passed
    assert passed.check is not None
    assert passed.check.kind == "held"


@pytest.mark.parametrize(("target", "said"), [(0.005, (0.004, 300)), (0.02, (None, 0))], ids=["holds", "does not"])
def test_a_hit_says_nothing_of_a_bound_that_was_computed_for_something_else(
    open_cache: Open, target: float, said: tuple[float | None, int]
) -> None:
    cache = open_cache()
    cache.keep("france capital")
    known(cache, f"cut = 2, bound = 0.004, judged = 300, target = {target}")
    asked = new_job(SAME)
    store(cache.runtime, cache.tenant, asked)
    (hit,) = cache.look([asked]).hits
    assert hit.routing is not None
    assert (hit.routing.error_bound, hit.routing.judged) == said


def test_whoever_looks_has_it_computed_and_stores_what_the_decision_was_made_of(open_cache: Open) -> None:
    cache = open_cache()
    cache.keep("france capital")
    known(cache, f"{SERVED}, target = 0.005")
    (job,) = cache.ask("france seat of government")
    assert cache.status(job) is JobStatus.COMPLETED
    assert rings(cache.runtime.redis.lrange("learn", 0, -1), job.id)
    (check,) = cache.checks()
    assert (check["features_version"], check["allowed"]) == (FEATURES_VERSION, 0.01)
    known(cache, "cut = 1000")
    (near,) = cache.ask("france largest port")
    assert not rings(cache.runtime.redis.lrange("learn", 0, -1), near.id)
    assert {(one["features_version"], one["allowed"]) for one in cache.checks()} == {(FEATURES_VERSION, 0.01)}


def test_hits_are_never_drawn_more_often_than_what_scores_less(open_cache: Open) -> None:
    cache = open_cache(cache_audit_share=0.2)
    cache.keep("france capital")
    chances = []
    for audited, state in ((0, "serving"), (60, "serving"), (1000, "serving"), (1000, "probation")):
        cache.knows(f"cut = 1000, judged = 4000, verdicts = 4999, audited = {audited}, state = '{state}'")
        asked = [new_job(f"france number {audited} {state} {place}") for place in range(60)]
        store(cache.runtime, cache.tenant, *asked)
        drawn = {one.check.chance for one in cache.look(asked).passed if one.check is not None}
        chances.append(drawn)
    assert chances == [{0.4}, {audit_chance(60, 0.2, 0.01)}, {0.4}, {1.0}]
