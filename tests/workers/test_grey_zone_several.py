"""One call to a judge about several answers in doubt: which is served, and what is remembered of each."""

import json
from decimal import Decimal
from uuid import UUID

import pytest
from builders import new_job
from workers.asking import DOUBTFUL, KEPT, QUESTION, Begin, Doubt, in_doubt
from workers.auditing import DIFFERENT, SAME, play
from workers.comparing import JUDGE, LARGE, SAID, SMALL, judged

from aico.core.jobs import Controls
from aico.store import feedback, jobs
from aico.store.jobs import NewJob

__all__ = ["in_doubt", "play"]

OTHER, ANOTHER = "Where does France's government sit?", "Which town is France ruled from?"
SEAT, TOWN = "It sits in Paris.", "From Paris."


def several(doubt: Doubt) -> list[UUID]:
    """Entries beside the one that was looked at."""
    return [doubt.cache.keep(OTHER, SEAT), doubt.cache.keep(ANOTHER, TOWN)]


def found_anew(doubt: Doubt, job: NewJob) -> set[UUID]:
    """What is near the question again once it has no answer of its own."""
    doubt.cache.scene.admin.execute("delete from cache_entries where %s in (job_id, asked_by)", (job.id,))
    return {*doubt.cache.near(DOUBTFUL)}


def test_one_call_asks_about_all_of_them(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says(DIFFERENT)
    doubt.route(doubt.job(others=several(doubt)))
    assert doubt.asked() == [JUDGE, LARGE]
    (body,) = doubt.cache.scene.server.asked_of(JUDGE)
    assert judged(body)["candidates"] == {
        "1": {"other_question": QUESTION, "stored_answer": KEPT},
        "2": {"other_question": OTHER, "stored_answer": SEAT},
        "3": {"other_question": ANOTHER, "stored_answer": TOWN},
    }


def test_the_one_that_serves_is_served_whichever_it_is(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says_of_each(DIFFERENT, SAME, DIFFERENT)
    job = doubt.job(others=several(doubt))
    ended = doubt.route(job)
    assert doubt.asked() == [JUDGE]
    assert ended.answer is not None
    assert ended.answer.text == SEAT
    assert [kind for kind, *_ in doubt.booked(job)] == ["judge", "semantic_hit"]
    assert ended.routing is not None
    assert Decimal(ended.routing.cost_cents or 0) == doubt.spent() > 0


def test_of_several_that_serve_the_likeliest_is_served(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says(SAME)
    ended = doubt.route(doubt.job(others=several(doubt)))
    assert ended.answer is not None
    assert ended.answer.text == KEPT


def test_each_that_does_not_serve_is_not_looked_at_for_that_question_again(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says(DIFFERENT)
    entries = [doubt.entry, *several(doubt)]
    job = doubt.job(others=entries[1:])
    doubt.route(job)
    assert found_anew(doubt, job) == set()
    assert {*entries} == {*doubt.cache.near("And which is it?")}
    (check,) = doubt.checks(job)
    assert (check["kind"], check["verdict"], check["sampled"]) == ("asked", False, False)


def test_those_that_do_not_serve_are_remembered_beside_the_one_that_does(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says_of_each(DIFFERENT, SAME, DIFFERENT)
    seat, town = several(doubt)
    job = doubt.job(others=(seat, town))
    doubt.route(job)
    (stored,) = doubt.cache.run(jobs.submit(doubt.cache.tenant.id, [new_job(DOUBTFUL)]))
    assert stored.answer is not None
    assert stored.answer.text == SEAT
    assert found_anew(doubt, job) == {seat}


def test_somebody_who_asks_the_same_meanwhile_has_nobody_asked_about_any_of_them(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says(DIFFERENT)
    others = several(doubt)
    first, second = doubt.job(others=others), doubt.job(others=others)
    doubt.route(first)
    doubt.cache.scene.admin.execute("delete from cache_entries where job_id = %s", (first.id,))
    doubt.route(second)
    assert doubt.asked() == [JUDGE, LARGE, LARGE]


@pytest.mark.parametrize(
    "said",
    [
        {"1": {"verdict": "different"}, "2": {"verdict": "Same"}},
        {"1": {"verdict": "different"}, "2": "same"},
        {"1": {"verdict": "different"}},
    ],
)
def test_without_a_verdict_an_answer_is_not_served_and_nothing_is_remembered_of_it(
    in_doubt: Begin, said: dict[str, object]
) -> None:
    doubt = in_doubt()
    doubt.cache.scene.server.judging = lambda _: json.dumps(said)
    others = several(doubt)
    job = doubt.job(others=others)
    ended = doubt.route(job)
    assert ended.answer is not None
    assert ended.answer.text == SAID[LARGE]
    assert found_anew(doubt, job) == {*others}


def test_a_reply_that_speaks_of_more_than_was_asked_is_no_verdict_on_anything(in_doubt: Begin) -> None:
    """As one does that follows what is said in a kept answer."""
    doubt = in_doubt()
    doubt.says_of_each(SAME, SAME, SAME, SAME)
    job = doubt.job(others=several(doubt))
    ended = doubt.route(job)
    assert doubt.asked() == [JUDGE, LARGE]
    assert ended.answer is not None
    assert ended.answer.text == SAID[LARGE]
    assert doubt.checks(job) == []
    assert [kind for kind, *_ in doubt.booked(job)] == ["judge", "call"]


def test_one_that_is_gone_takes_the_others_along_in_no_way(in_doubt: Begin) -> None:
    doubt = in_doubt()
    seat, town = several(doubt)
    job = doubt.job(others=(seat, town))
    doubt.cache.scene.admin.execute("delete from cache_entries where id = %s", (doubt.entry,))
    doubt.says_of_each(DIFFERENT, SAME)
    ended = doubt.route(job)
    (body,) = doubt.cache.scene.server.asked_of(JUDGE)
    assert [one["stored_answer"] for one in judged(body)["candidates"].values()] == [SEAT, TOWN]
    assert ended.answer is not None
    assert ended.answer.text == TOWN


def test_one_that_goes_while_the_judge_is_asked_gives_way_to_the_next_that_serves(in_doubt: Begin) -> None:
    doubt = in_doubt()
    others = several(doubt)

    def meanwhile(_: object) -> str:
        doubt.cache.scene.admin.execute("delete from cache_entries where id = %s", (doubt.entry,))
        return json.dumps(dict.fromkeys("123", json.loads(SAME)))

    doubt.cache.scene.server.judging = meanwhile
    ended = doubt.route(doubt.job(others=others))
    assert ended.answer is not None
    assert ended.answer.text == SEAT


def test_what_costs_more_than_it_saves_is_left_out_of_the_call(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says(DIFFERENT)
    long = doubt.cache.keep(OTHER, "It sits in Paris. " * 60_000)
    (short,) = [doubt.cache.keep(ANOTHER, TOWN)]
    doubt.route(doubt.job(others=(long, short)))
    (body,) = doubt.cache.scene.server.asked_of(JUDGE)
    assert [one["stored_answer"] for one in judged(body)["candidates"].values()] == [KEPT, TOWN]


def test_an_answer_of_a_model_that_the_key_may_not_use_is_left_out_too(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says(SAME)
    tenant = doubt.cache.tenant
    doubt.cache.scene.admin.execute("update api_keys set models = %s where id = %s", ([JUDGE, LARGE], tenant.key_id))
    job = doubt.job(others=several(doubt))
    doubt.change("api_key_id = %s", job, tenant.key_id)
    doubt.route(job)
    assert doubt.asked() == [LARGE]


def test_the_age_that_a_caller_allows_holds_for_each(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says(SAME)
    doubt.route(doubt.job(others=several(doubt), controls=Controls(max_staleness_seconds=0)))
    assert doubt.asked() == [LARGE]


@pytest.mark.parametrize("share", [1.0, 0.0])
def test_an_audit_is_of_the_answer_that_was_served_by_what_it_was_decided_by(in_doubt: Begin, share: float) -> None:
    doubt = in_doubt(cache_audit_share=share)
    doubt.says_of_each(DIFFERENT, SAME, DIFFERENT)
    seat, town = several(doubt)
    job = doubt.job(others=(seat, town))
    doubt.cache.check(job, doubt.entry, "near")
    doubt.route(job)
    (check,) = doubt.checks(job)
    assert (check["entry_id"], check["kind"], check["sampled"]) == (seat, "asked", bool(share))
    assert (check["score"], check["features"]) == ((1.5, [2.0, 0.0, 0.0, 0.0, 0.0]) if share else (None, None))
    doubt.says(SAME)
    assert doubt.cache.audit(job.id)["verdict"] is True
    assert doubt.asked() == ([JUDGE, SMALL, JUDGE] if share else [JUDGE])


def test_a_caller_who_says_that_it_is_wrong_takes_that_one_from_the_question(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says_of_each(DIFFERENT, SAME, DIFFERENT)
    seat, town = several(doubt)
    job = doubt.job(others=(seat, town))
    doubt.route(job)
    doubt.cache.run(feedback.give(doubt.cache.tenant.id, job.id, score=0.0, comment=None))
    assert doubt.cache.rows("select * from cache_entries where asked_by = %s", job.id) == []
    assert found_anew(doubt, job) == set()
