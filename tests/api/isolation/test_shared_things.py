"""What the service shares among tenants: the cache, idempotency keys, names of jobs, channels."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from api.isolation.conftest import Side, Sides, answer_for
from conftest import Postgres

from aico.api.waiters import Waiters
from aico.core.ids import new_id
from aico.store.aio import AsyncDatabase

QUESTIONS = {
    "exact": "What colour is the sky on a clear day?",
    "semantic": "How many legs does a spider have?",
}
ANOTHER_WORDING = "How many legs does a spider have, please?"


def asked(side: Side, prompt: str, cache: str) -> dict[str, Any]:
    answer = side.api.post("/v1/chat", json={"prompt": prompt, "cache": cache}, params={"wait": 15})
    body: dict[str, Any] = answer.raise_for_status().json()
    assert body["status"] == "completed", body
    return body


@pytest.mark.parametrize(("cache", "question"), QUESTIONS.items())
def test_the_same_question_is_answered_anew_for_each_tenant(sides: Sides, cache: str, question: str) -> None:
    owner, intruder = sides.owner, sides.intruder
    for side in (owner, intruder):
        first = asked(side, question, cache)
        assert first["routing"]["cache"] == "miss"
        assert first["answer"]["text"] == answer_for(side.tenant.id)
        again = asked(side, question, cache)
        assert again["routing"]["cache"] == "exact"
        assert again["answer"]["text"] == answer_for(side.tenant.id)


def test_a_question_that_means_the_same_finds_the_own_answer(sides: Sides) -> None:
    for side in (sides.owner, sides.intruder):
        asked(side, QUESTIONS["semantic"], "semantic")
        found = asked(side, ANOTHER_WORDING, "semantic")
        assert found["routing"]["cache"] in {"semantic", "exact"}
        assert found["answer"]["text"] == answer_for(side.tenant.id)


@pytest.mark.usefixtures("untouched")
def test_nothing_that_is_sent_along_opens_anothers_cache(sides: Sides) -> None:
    """Everything that a caller may say of a cache, a namespace or a tenant."""
    theirs, prompt = str(sides.owner.tenant.id), "What is the longest river of Africa?"
    claims = dict.fromkeys(("tenant", "tenant_id", "namespace", "org_id"), theirs)
    for extra in ({"metadata": claims}, {"tags": [theirs]}, {"hints": {"user": theirs}}):
        body = {"prompt": prompt, "cache": "semantic", **extra}
        answer = sides.intruder.api.post(
            "/v1/chat", json=body, params={"wait": 15, **claims}, headers=_claiming(theirs)
        )
        assert answer.status_code == 422 or answer.json()["answer"]["text"] == answer_for(sides.intruder.tenant.id)
    chat = {
        "model": "auto",
        "messages": [{"role": "user", "content": prompt}],
        "user": theirs,
        "prompt_cache_key": theirs,
    }
    said = sides.intruder.api.post("/v1/chat/completions", json=chat, headers=_claiming(theirs)).raise_for_status()
    assert said.json()["choices"][0]["message"]["content"] == answer_for(sides.intruder.tenant.id)


def _claiming(tenant: str) -> dict[str, str]:
    return {"X-Tenant-Id": tenant, "OpenAI-Organization": tenant, "OpenAI-Project": tenant}


def test_an_idempotency_key_stands_for_each_tenants_own_job(sides: Sides) -> None:
    bodies = [
        side.api.post("/v1/jobs", json={"prompt": "once", "cache": "off"}, headers={"Idempotency-Key": "the-same"})
        for side in (sides.owner, sides.intruder)
    ]
    first, second = (body.raise_for_status() for body in bodies)
    assert first.json()["id"] != second.json()["id"]
    assert "Idempotency-Replayed" not in second.headers
    other = sides.intruder.api.post("/v1/jobs", json={"prompt": "else"}, headers={"Idempotency-Key": "the-same"})
    assert other.status_code == 422
    again = sides.owner.api.post(
        "/v1/jobs", json={"prompt": "once", "cache": "off"}, headers={"Idempotency-Key": "the-same"}
    )
    assert again.json()["id"] == first.json()["id"]


def test_a_stream_of_anothers_answer_is_never_begun(sides: Sides) -> None:
    owner, intruder = sides.owner, sides.intruder
    for one in owner.known["job_id"]:
        answer = intruder.api.get(f"/v1/jobs/{one}/events")
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    for path, name in (("/v1/chat/completions", "completion_id"), ("/v1/responses", "response_id")):
        for one in owner.known[name]:
            answer = intruder.api.get(f"{path}/{one}", params={"stream": "true"})
            assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")


def test_who_waits_for_anothers_job_does_not_take_its_owners_place(postgres: Postgres) -> None:
    """Without word of the end the owner is woken by the poll, which asks for each tenant that waits."""
    owner, intruder, job = new_id(), new_id(), new_id()
    asked: list[tuple[str, tuple[UUID, ...]]] = []

    class Polled(AsyncDatabase):
        async def run_each(self, work: Any) -> Any:
            asked.extend((scope.tenants, tuple(statement.params["ids"])) for scope, statement in work)
            return [[] for _ in work]

    async def scenario() -> None:
        waiters = Waiters(Polled(postgres.url))
        with waiters.expecting(owner, job):
            with waiters.expecting(intruder, job):
                pass
            waiters.start()
            async with asyncio.timeout(10):
                while not asked:  # noqa: ASYNC110 - the poll announces nothing
                    await asyncio.sleep(0.01)
            await waiters.stop()

    asyncio.run(scenario())
    assert asked == [(str(owner), (job,))]
