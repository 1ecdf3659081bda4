"""An answer that was copied to another question holds the words of two jobs: it goes with either."""

from dataclasses import replace
from uuid import UUID

import pytest
from builders import chat, completed, new_job
from workers.batching import scene
from workers.erasing import MARK, Desk, desk
from workers.test_route import provider, routed

from aico.core.canonical import cache_key
from aico.core.chat import Message, Role
from aico.core.jobs import CacheState
from aico.store import cache, claims, feedback, jobs

__all__ = ["desk", "provider", "routed", "scene"]


def copied(desk: Desk) -> tuple[UUID, UUID]:
    """The job that paid for an answer, and one that was served it, whose question it is copied to."""
    paid = desk.answered("the first question").id
    (entry,) = (row["id"] for row in desk.admin.execute("select id from cache_entries where job_id = %s", (paid,)))
    job = new_job("the same in other words")
    desk.run(jobs.submit(desk.tenant.id, [job]))
    (kept,) = desk.run(cache.answers(desk.tenant.id, [entry]))
    routing = kept.routing.model_copy(update={"cache": CacheState.SEMANTIC})
    served = replace(completed(job.id, 0, keep=False), answer=kept.answer, entry=entry, routing=routing)
    assert desk.run(claims.finish(desk.tenant.id, [served], 3600))
    desk.run(feedback.give(desk.tenant.id, job.id, score=1.0, comment=None))
    assert len(questions(desk)) == 2
    return paid, job.id


def questions(desk: Desk) -> list[str]:
    rows = desk.admin.execute("select question from cache_entries where tenant_id = %s order by 1", (desk.tenant.id,))
    return [row["question"] for row in rows]


@pytest.mark.parametrize(("which", "left"), [("paid", []), ("asked", ["the first question"])])
def test_a_copied_answer_is_erased_with_the_job_that_paid_and_with_the_job_that_asked(
    desk: Desk, which: str, left: list[str]
) -> None:
    paid, asked = copied(desk)
    desk.erase(job_ids=[str(paid if which == "paid" else asked)])
    assert questions(desk) == left
    checks = desk.admin.execute("select job_id from cache_checks where tenant_id = %s", (desk.tenant.id,)).fetchall()
    assert checks == []


def test_how_instructions_begin_is_erased_with_a_job_that_had_them(desk: Desk) -> None:
    def answered(question: str) -> UUID:
        asked = chat(question)
        instructed = asked.model_copy(
            update={"messages": (Message(role=Role.SYSTEM, content=f"You speak to {MARK}."), *asked.messages)}
        )
        request = instructed.model_dump(mode="json", exclude_defaults=True)
        return desk.answered(request=request, key=cache_key(instructed)).id

    first, second = answered("first"), answered("second")
    assert desk.traces()["cache_namespaces.label"] == 1
    desk.erase(job_ids=[str(first)])
    assert "cache_namespaces.label" not in desk.traces()
    desk.erase(job_ids=[str(second)])
    assert desk.traces() == {}
    answered("third")
    assert desk.traces()["cache_namespaces.label"] == 1
