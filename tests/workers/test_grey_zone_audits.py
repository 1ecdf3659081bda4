"""What is found out of answers that were served because a judge said so: audits, and callers' words."""

import pytest
from workers.asking import DOUBTFUL, Begin, in_doubt
from workers.auditing import DIFFERENT, SAME, play
from workers.comparing import JUDGE, SMALL

from aico.caching.scoring import FEATURES_VERSION
from aico.caching.watching import SURPRISING
from aico.core.cache_policy import Basis
from aico.store import cache_checks, feedback
from aico.workers.cache_calibration import computed_of

__all__ = ["in_doubt", "play"]

USUAL = Basis(FEATURES_VERSION, None, 0.01, 0.9)


@pytest.mark.parametrize(("share", "sampled"), [(1.0, True), (0.0, False)])
def test_a_decision_that_was_drawn_is_audited_as_a_hit_is_or_is_no_sample(
    in_doubt: Begin, share: float, sampled: bool
) -> None:
    doubt = in_doubt(cache_audit_share=share)
    doubt.says(SAME)
    job = doubt.job()
    doubt.cache.check(job, doubt.entry, "near")
    doubt.route(job)
    (check,) = doubt.checks(job)
    assert (check["kind"], check["sampled"]) == ("asked", sampled)
    assert (check["status"], check["verdict"]) == (("waiting", None) if sampled else ("judged", True))
    assert (check["features"] is None) is not sampled
    audited = doubt.cache.audit(job.id)
    assert doubt.asked() == ([JUDGE, SMALL, JUDGE] if sampled else [JUDGE])
    assert (audited["status"], audited["verdict"], audited["embedding"]) == ("judged", True, None)


def test_an_audit_that_finds_it_wrong_takes_the_answer_from_the_question_again(in_doubt: Begin) -> None:
    doubt = in_doubt(cache_audit_share=1.0)
    doubt.says(SAME)
    job = doubt.job()
    doubt.cache.check(job, doubt.entry, "near")
    doubt.route(job)
    doubt.says(DIFFERENT)
    assert doubt.cache.audit(job.id)["verdict"] is False
    assert doubt.cache.rows("select * from cache_entries where asked_by = %s", job.id) == []
    assert doubt.entry not in doubt.cache.near(DOUBTFUL)


def test_what_a_judge_said_when_asked_is_no_sample(in_doubt: Begin) -> None:
    doubt = in_doubt()
    found = []
    for verdict, prompt in ((SAME, DOUBTFUL), (DIFFERENT, "And of Italy?")):
        doubt.says(verdict)
        job = doubt.job(prompt)
        doubt.route(job)
        found += doubt.checks(job)
    assert [(check["verdict"], check["sampled"], check["step_at"]) for check in found] == [
        (True, False, None),
        (False, False, None),
    ]
    assert doubt.cache.verdicts() == 0


def test_a_caller_who_says_that_it_is_wrong_takes_the_answer_from_the_question_again(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says(SAME)
    job = doubt.job()
    doubt.route(job)
    (given,) = doubt.cache.run(feedback.give(doubt.cache.tenant.id, job.id, score=0.0, comment=None))
    assert given.namespace == job.key.namespace
    (check,) = doubt.checks(job)
    assert (check["kind"], check["verdict"], check["source"]) == ("asked", False, "user")
    assert doubt.cache.rows("select * from cache_entries where asked_by = %s", job.id) == []
    assert doubt.cache.near(DOUBTFUL) == []
    assert [(row["good"], row["bad"]) for row in doubt.cache.entries(doubt.entry)] == [(0, 0)]
    (judged,) = doubt.cache.run(cache_checks.judged(doubt.cache.tenant.id, job.id, SURPRISING, USUAL))
    (alarm,) = doubt.cache.run(cache_checks.verdicts(doubt.cache.tenant.id, judged, complaints=True, limit=10))
    assert computed_of(judged, [alarm], 0.01, 0.9).state == "probation"


def test_what_a_caller_says_of_his_own_answer_leaves_the_judges_word_on_another_alone(in_doubt: Begin) -> None:
    doubt = in_doubt()
    doubt.says(DIFFERENT)
    job = doubt.job()
    doubt.route(job)
    doubt.cache.run(feedback.give(doubt.cache.tenant.id, job.id, score=1.0, comment=None))
    (check,) = doubt.checks(job)
    assert (check["verdict"], check["source"]) == (False, "judge")
