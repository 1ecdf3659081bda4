"""How the end of a background response is announced: in OpenAI's words, once to each endpoint."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from builders import completed, new_job
from conftest import Tenant
from store.telling import Connection, add, end, rows

from aico.core.chat import FinishReason
from aico.core.jobs import CacheMode, JobError, JobStatus, Surface
from aico.store import jobs
from aico.store.blocking import Database
from aico.store.claims import Ending
from aico.store.jobs import Submitted
from aico.store.scope import Scope


def respond(
    database: Database, tenant: Tenant, *, background: bool = True, cache: CacheMode = CacheMode.OFF, life: float = 600
) -> Submitted:
    made = new_job("tell me", mode=cache, timeout_seconds=life)
    job = replace(made, surface=Surface.RESPONSE, echo={"background": background})
    (stored,) = database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [job]))
    return stored


def ending(job: UUID, status: JobStatus) -> Ending:
    if status is JobStatus.COMPLETED:
        return completed(job, 0)
    return Ending(job, 0, status, error=JobError(code="x", message="secret words"))


def told(admin: Connection, tenant: Tenant) -> dict[UUID, list[str]]:
    """The events of each endpoint."""
    events: dict[UUID, list[str]] = {}
    for row in rows(admin, tenant):
        events.setdefault(row["endpoint_id"], []).append(row["event"])
    return events


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (JobStatus.COMPLETED, "response.completed"),
        (JobStatus.FAILED, "response.failed"),
        (JobStatus.INCOMPLETE, "response.incomplete"),
        (JobStatus.EXPIRED, "response.failed"),
    ],
)
def test_an_endpoint_is_told_in_openais_words(
    database: Database, tenant: Tenant, admin: Connection, status: JobStatus, event: str
) -> None:
    add(database, tenant, event)
    job = respond(database, tenant).id
    (ended,) = end(database, tenant, ending(job, status))
    (row,) = rows(admin, tenant)
    assert ended.deliveries == [row["id"]]
    assert (row["event"], row["job_id"]) == (event, job)
    payload: dict[str, Any] = row["payload"]
    assert payload.keys() == {"id", "object", "created_at", "type", "data"}
    assert (payload["object"], payload["type"], payload["data"]) == ("event", event, {"id": f"resp_{job.hex}"})
    assert payload["id"].startswith("evt_")
    assert isinstance(payload["created_at"], int)


def test_a_refusal_is_a_whole_answer(database: Database, tenant: Tenant, admin: Connection) -> None:
    endpoint = add(database, tenant)
    declined = completed(respond(database, tenant).id, 0)
    assert declined.answer is not None
    answer = declined.answer.model_copy(update={"refused": True, "finish_reason": FinishReason.CONTENT_FILTER})
    end(database, tenant, replace(declined, status=JobStatus.INCOMPLETE, answer=answer))
    assert told(admin, tenant) == {endpoint: ["response.completed"]}


def test_a_cancelled_response_is_told_too(database: Database, tenant: Tenant, admin: Connection) -> None:
    endpoint = add(database, tenant, "response.cancelled")
    job = respond(database, tenant).id
    database.run(Scope.tenant(tenant.id), jobs.cancel(tenant.id, job))
    assert told(admin, tenant) == {endpoint: ["response.cancelled"]}


def test_each_endpoint_gets_one_word_for_one_end(database: Database, tenant: Tenant, admin: Connection) -> None:
    everything, both = add(database, tenant), add(database, tenant, "job.completed", "response.completed")
    theirs, ours = add(database, tenant, "response.completed"), add(database, tenant, "job.completed")
    add(database, tenant, "response.failed", "job.failed")
    end(database, tenant, ending(respond(database, tenant).id, JobStatus.COMPLETED))
    assert told(admin, tenant) == {
        everything: ["response.completed"],
        both: ["response.completed"],
        theirs: ["response.completed"],
        ours: ["job.completed"],
    }


def test_a_response_that_was_waited_for_is_a_job_like_any_other(
    database: Database, tenant: Tenant, admin: Connection
) -> None:
    everything = add(database, tenant)
    add(database, tenant, "response.completed")
    end(database, tenant, ending(respond(database, tenant, background=False).id, JobStatus.COMPLETED))
    assert told(admin, tenant) == {everything: ["job.completed"]}


def test_a_background_response_that_is_answered_from_the_cache_at_once_is_told(
    database: Database, tenant: Tenant, admin: Connection
) -> None:
    end(database, tenant, completed(respond(database, tenant, cache=CacheMode.EXACT).id, 0))
    endpoint = add(database, tenant, "response.completed")
    hit = respond(database, tenant, cache=CacheMode.EXACT)
    assert hit.answer is not None
    assert told(admin, tenant) == {endpoint: ["response.completed"]}
    assert hit.deliveries == [row["id"] for row in rows(admin, tenant)]
