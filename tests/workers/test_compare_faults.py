"""Comparisons that are cut short, fail, or are taken over: no call is lost or booked twice."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from conftest import Tenant
from workers.comparing import JUDGE, LARGE, SAID, Play, play, prefers

from aico.core.attempts import AttemptKind
from aico.routing.catalogue import Catalogue
from aico.routing.models import RateLimit
from aico.store import shadow_pairs
from aico.workers import compare
from aico.workers.comparer import Comparer
from aico.workers.pacing import LocalPacer

__all__ = ["play"]


def test_who_waited_for_a_place_in_a_rate_limit_has_it(play: Play, tenant: Tenant) -> None:
    scene = play()
    limit = RateLimit(provider="openai_compatible", model=LARGE, requests_per_minute=6)
    paced = replace(scene, comparer=Comparer(scene.runtime.settings, LocalPacer([limit], lambda: 0.0)))
    for number, visits in enumerate(
        (1, 2)
    ):  # the first takes what there is; the second waits once, not again and again
        job = scene.answered(tenant, f"What is the capital of France, again {number}?")
        for _ in range(visits):
            assert len(scene.server.asked_of(LARGE)) == number
            paced.compare(tenant, job.id)
            scene.due(job.id)
        assert scene.pair(job.id)["status"] == "judged"
    paced.comparer.close()


def test_a_pair_for_which_there_is_no_room_for_an_hour_is_dropped(play: Play, tenant: Tenant) -> None:
    scene = play()
    limit = RateLimit(provider="openai_compatible", model=LARGE, requests_per_minute=1)
    full = LocalPacer([limit], lambda: 0.0)
    full.back_off(Catalogue.from_settings(scene.runtime.settings).find(LARGE), 300)
    paced = replace(scene, comparer=Comparer(scene.runtime.settings, full))
    job = scene.answered(tenant)
    assert paced.compare(tenant, job.id)["status"] == "waiting"
    scene.due(job.id)
    scene.admin.execute("update shadow_pairs set created_at = now() - interval '1 hour' where job_id = %s", (job.id,))
    pair = paced.compare(tenant, job.id)
    assert (pair["status"], pair["reason"]) == ("dropped", "no_room")
    assert scene.server.asked_of(LARGE) == []
    paced.comparer.close()


@pytest.mark.parametrize("said", ["A", "The better one is A", '{"verdict": "A", "score": 3}', '{"verdict": "C"}', ""])
def test_a_judge_that_does_not_keep_to_the_form_is_asked_again_and_then_given_up(
    play: Play, tenant: Tenant, said: str
) -> None:
    scene = play()
    scene.server.judging = lambda _: said
    job = scene.answered(tenant)
    for tries in (1, 2):
        pair = scene.compare(tenant, job.id)
        assert (pair["status"], pair["tries"], pair["held_cents"]) == ("waiting", tries, 0)
        assert scene.compare(tenant, job.id) == pair  # not due
        scene.due(job.id)
    pair = scene.compare(tenant, job.id)
    assert (pair["status"], pair["reason"], pair["answer"]) == ("dropped", "no_verdict", None)
    assert scene.outcomes(job.id) == {}
    assert [kind for kind, *_ in scene.ledger(tenant, job.id)] == ["call", "shadow", "judge", "judge", "judge"]


def test_a_provider_that_is_away_is_asked_again_later_and_the_rival_answers_once(play: Play, tenant: Tenant) -> None:
    scene = play()
    job = scene.answered(tenant)
    scene.server.status[JUDGE] = 503
    assert scene.compare(tenant, job.id)["status"] == "waiting"
    scene.server.status.clear()
    scene.due(job.id)
    assert scene.compare(tenant, job.id)["status"] == "judged"
    assert len(scene.server.asked_of(LARGE)) == 1
    assert len(scene.server.asked_of(JUDGE)) == 3
    assert scene.day(tenant) == Decimal("0.15")


def test_a_pair_goes_on_where_a_worker_died_and_its_call_is_booked_as_lost(play: Play, tenant: Tenant) -> None:
    scene = play()
    job = scene.answered(tenant)
    (held,) = scene.run(tenant, shadow_pairs.claim(tenant.id, job.id, -1))
    plan = scene.comparer.plan(held)
    scene.run(tenant, shadow_pairs.plan(held, plan.rival.id, plan.judge.id))
    call = scene.comparer.call(held, plan, AttemptKind.SHADOW)
    assert scene.run(tenant, shadow_pairs.note(held, call))
    pair = scene.compare(tenant, job.id)  # the lease has run out
    assert (pair["status"], pair["tries"]) == ("judged", 1)
    booked = scene.ledger(tenant, job.id)
    assert sorted((kind, outcome) for kind, _, outcome, _ in booked) == [
        ("call", "ok"),
        ("judge", "ok"),
        ("judge", "ok"),
        ("shadow", "lost"),
        ("shadow", "ok"),
    ]
    lost = next(cents for _, _, outcome, cents in booked if outcome == "lost")
    assert lost == call.cents
    assert scene.day(tenant) == Decimal("0.15") + lost


def test_a_call_is_booked_once_however_late_its_first_worker_comes(play: Play, tenant: Tenant) -> None:
    scene = play()
    job = scene.answered(tenant)
    late: list[Any] = []

    def hang(answers: dict[str, str]) -> str:
        """While the judge thinks, the lease runs out and another worker takes the pair over."""
        if not late:
            late.append(True)
            scene.due(job.id)
            scene.compare(tenant, job.id)
        return prefers(SAID[LARGE])(answers)

    scene.server.judging = hang
    pair = scene.compare(tenant, job.id)
    assert pair["status"] == "judged"
    booked = [(kind, outcome) for kind, _, outcome, _ in scene.ledger(tenant, job.id)]
    assert sorted(booked) == [("call", "ok"), ("judge", "lost"), ("judge", "ok"), ("judge", "ok"), ("shadow", "ok")]
    assert len(scene.server.asked_of(JUDGE)) == 3
    query = "select sum(wins + ties + losses) as pairs from pair_rollups where tenant_id = %s"
    assert scene.admin.execute(query, (tenant.id,)).fetchall() == [{"pairs": 1}]


def test_a_worker_that_stops_leaves_the_pair_to_others(play: Play, tenant: Tenant) -> None:
    scene = play()
    job = scene.answered(tenant)

    def stop(answers: dict[str, str]) -> str:
        compare.wind_down()
        compare._stopping.wait(1)
        return prefers(SAID[LARGE])(answers)

    scene.server.judging = stop
    pair = scene.compare(tenant, job.id)
    assert (pair["status"], pair["tries"], pair["lease_until"], pair["answer"]) == ("waiting", 0, None, SAID[LARGE])
    compare._stopping.clear()
    scene.server.judging = prefers(SAID[LARGE])
    assert scene.compare(tenant, job.id)["status"] == "judged"
    assert len(scene.server.asked_of(LARGE)) == 1


def test_a_job_that_is_erased_takes_its_pair_along_and_frees_what_was_put_aside(play: Play, tenant: Tenant) -> None:
    scene = play()
    job = scene.answered(tenant)

    def erase(answers: dict[str, str]) -> str:
        scene.admin.execute("delete from jobs where id = %s", (job.id,))
        return prefers(SAID[LARGE])(answers)

    scene.server.judging = erase
    compare.work_on(scene.runtime, scene.comparer, tenant.id, job.id)
    assert scene.pairs("job_id = %s", job.id) == []
    assert scene.outcomes(job.id) == {}
    assert scene.day(tenant) == Decimal("0.09")  # the two calls that were made
    assert [kind for kind, *_ in scene.ledger(tenant, job.id)] == ["call", "shadow", "judge"]
