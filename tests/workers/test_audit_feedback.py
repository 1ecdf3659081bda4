"""What callers say of answers that came from the cache: it checks what the cache decided, drawn or not."""

from typing import Any
from uuid import UUID

import pytest
from builders import new_job
from workers.auditing import DIFFERENT, SAME, Cache, Open, open_cache, play
from workers.comparing import SMALL

from aico.core.jobs import CacheMode
from aico.store import cache_entries, feedback, jobs
from aico.store.cache_entries import Which

__all__ = ["open_cache", "play"]

FRANCE, ITALY = "What is the capital of France?", "Which city is the capital of Italy?"


def say(cache: Cache, job: UUID, score: float) -> bytes | None:
    (given,) = cache.run(feedback.give(cache.tenant.id, job, score=score, comment=None))
    namespace: bytes | None = given.namespace
    return namespace


def kept(cache: Cache, entry: UUID, *, good: int = 30) -> tuple[int, int]:
    """The judgements of an entry beyond the good ones that it was given to begin with."""
    ((found, bad),) = [(row["good"], row["bad"]) for row in cache.entries(entry)]
    return found - good, bad


def beginning(cache: Cache) -> UUID:
    """An entry that one bad judgement does not take away."""
    entry = cache.keep(FRANCE, "The capital is Paris.")
    cache.scene.admin.execute("update cache_entries set good = 30 where id = %s", (entry,))
    return entry


def test_feedback_on_a_hit_that_nobody_drew_is_kept_as_no_sample(open_cache: Open) -> None:
    cache = open_cache()
    entry = beginning(cache)
    job = cache.hit(ITALY, entry, drawn=False)
    assert say(cache, job, 0.0) == new_job(ITALY).key.namespace
    check = cache.checked(job)
    assert (check["kind"], check["sampled"], check["source"], check["verdict"]) == ("hit", False, "user", False)
    assert (check["entry_id"], check["score"], check["features"], check["chance"]) == (entry, None, None, 1)
    assert kept(cache, entry) == (0, 1)
    assert cache.verdicts() == 1
    assert cache.near(ITALY) == []
    assert cache.scene.outcomes(job) == {SMALL: (0.0, "user")}


def test_the_same_word_again_changes_nothing_and_another_takes_its_place(open_cache: Open) -> None:
    cache = open_cache()
    entry = beginning(cache)
    job = cache.hit(ITALY, entry)
    assert say(cache, job, 0.0) is not None
    before = cache.checked(job)
    assert say(cache, job, 0.0) is None
    assert cache.checked(job) == before
    assert (kept(cache, entry), cache.verdicts()) == ((0, 1), 1)
    say(cache, job, 1.0)
    assert (kept(cache, entry), cache.verdicts(), cache.checked(job)["verdict"]) == ((1, 0), 2, True)
    assert len(cache.rows("select id from cache_entries where asked_by = %s", job)) == 1
    say(cache, job, 0.25)
    assert (kept(cache, entry), cache.verdicts()) == ((0, 1), 3)
    assert cache.rows("select id from cache_entries where asked_by = %s", job) == []


@pytest.mark.parametrize("first", ["user", "judge"])
def test_a_callers_word_stands_against_a_judges(open_cache: Open, first: str) -> None:
    cache = open_cache()
    cache.scene.server.judging = lambda _: SAME
    entry = beginning(cache)
    job = cache.hit(ITALY, entry)
    if first == "judge":
        assert cache.audit(job)["verdict"] is True
        say(cache, job, 0.0)
    else:
        say(cache, job, 0.0)
        cache.audit(job)
        assert cache.scene.server.bodies == []
    check = cache.checked(job)
    assert (check["verdict"], check["source"], check["sampled"]) == (False, "user", True)
    assert kept(cache, entry) == (0, 1)
    assert cache.rows("select id from cache_entries where asked_by = %s", job) == []


def test_a_caller_who_speaks_while_the_judge_thinks_is_heard_and_the_judge_is_not(open_cache: Open) -> None:
    cache = open_cache()
    entry = beginning(cache)
    job = cache.hit(ITALY, entry)

    def meanwhile(_: dict[str, Any]) -> str:
        say(cache, job, 1.0)
        return DIFFERENT

    cache.scene.server.judging = meanwhile
    check = cache.audit(job)
    assert (check["verdict"], check["source"]) == (True, "user")
    pair = cache.scene.pair(job)
    assert (pair["status"], pair["reason"], pair["held_cents"]) == ("dropped", "user_judged", 0)
    assert cache.scene.day(cache.tenant) == sum(cents for *_, cents in cache.scene.ledger(cache.tenant, job))


def test_of_an_exact_hit_only_the_entry_is_judged(open_cache: Open) -> None:
    cache = open_cache()
    entry = cache.keep(FRANCE, "The capital is Paris.")
    again = [new_job(FRANCE) for _ in range(2)]
    cache.run(jobs.submit(cache.tenant.id, again))
    assert say(cache, again[0].id, 1.0) is None
    assert say(cache, again[0].id, 1.0) is None
    assert kept(cache, entry, good=0) == (1, 0)
    assert cache.verdicts() == 0
    check = cache.checked(again[0].id)
    assert (check["kind"], check["sampled"]) == ("exact", False)
    say(cache, again[0].id, 0.0)
    assert cache.entries(entry) == []  # its first judgement was taken back, and the other is bad


def test_what_is_said_of_an_answer_of_its_own_says_nothing_of_the_cache(open_cache: Open) -> None:
    cache = open_cache()
    entry = beginning(cache)
    job = cache.miss(ITALY, entry, "It is Rome.")
    assert say(cache, job, 1.0) is None
    assert cache.checked(job)["status"] == "waiting"
    assert (kept(cache, entry), cache.verdicts()) == ((0, 0), 0)


def test_an_answer_that_its_own_caller_finds_useless_is_served_to_nobody_else(open_cache: Open) -> None:
    cache = open_cache()
    job = cache.answer(cache.ask(FRANCE), "The capital is Lyon.")
    assert say(cache, job, 0.0) is None
    assert cache.rows("select id from cache_entries where tenant_id = %s", None) == []
    assert cache.near(ITALY) == []
    assert cache.rows("select job_id from cache_checks where tenant_id = %s", None) == []


def test_what_is_said_of_an_own_answer_counts_once_and_a_later_word_takes_its_place(open_cache: Open) -> None:
    cache = open_cache()
    entry = beginning(cache)
    (row,) = cache.entries(entry)
    for score, counts in ((1.0, (1, 0)), (1.0, (1, 0)), (0.0, (0, 1)), (0.25, (0, 1)), (0.75, (1, 0))):
        say(cache, row["job_id"], score)
        assert kept(cache, entry) == counts


def test_a_newer_answer_is_not_held_to_what_was_said_of_the_older_one(open_cache: Open) -> None:
    cache = open_cache()
    entry = beginning(cache)
    (row,) = cache.entries(entry)
    say(cache, row["job_id"], 0.0)
    newer = cache.answer(cache.ask(FRANCE, mode=CacheMode.REFRESH), "It is Paris.")
    say(cache, row["job_id"], 0.25)
    assert [(one["job_id"], one["good"], one["bad"]) for one in cache.entries(entry)] == [(newer, 0, 0)]
    say(cache, newer, 1.0)
    assert [(one["good"], one["bad"]) for one in cache.entries(entry)] == [(1, 0)]


def test_an_answer_that_is_deleted_goes_with_its_copies(open_cache: Open) -> None:
    cache = open_cache()
    entry, other = beginning(cache), cache.keep("When was the library built?", "In 1902.")
    job = cache.hit(ITALY, entry)
    say(cache, job, 1.0)
    (copy,) = cache.rows("select id from cache_entries where asked_by = %s", job)
    assert copy["id"] != entry
    assert cache.run(cache_entries.forget(cache.tenant.id, Which("id", str(entry)), "somebody", limit=10)) == [2]
    assert cache.rows("select id from cache_entries where tenant_id = %s", None) == [{"id": other}]
