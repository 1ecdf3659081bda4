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
    return {"OpenAI-Organization": tenant, "OpenAI-Project": tenant, "Forwarded": f"for={tenant}"}


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


def told(side: Side, prompt: str, **fields: Any) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and job that come of a request, without what differs from one to the next."""
    answer = side.api.post("/v1/jobs", json={"prompt": prompt, "cache": "exact", **fields})
    headers = {name: value for name, value in answer.headers.items() if name not in _OF_A_MOMENT}
    body: dict[str, Any] = answer.raise_for_status().json()
    assert prompt not in str(headers)
    return answer.status_code, _without_ids(headers, body["id"]), _plain(body)


_OF_A_MOMENT = {"date", "x-request-id", "openai-processing-ms"}


def _without_ids(headers: dict[str, str], job: str) -> dict[str, str]:
    return {name: value.replace(job, "<job>") for name, value in headers.items()}


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in {"id", "created_at", "deadline", "request"}}


def test_what_another_has_asked_changes_nothing_of_what_a_request_is_told(sides: Sides) -> None:
    """A hit is answered at once and a miss is not: who could bring about another's hits would learn his questions."""
    owner, intruder = sides.owner, sides.intruder
    secret, other = "What did we pay for the Rotterdam warehouse?", "What did we pay for the Antwerp warehouse?"
    asked(owner, secret, "exact")
    known, unknown = told(intruder, secret), told(intruder, other)
    assert known == unknown
    assert known[2]["status"] == "queued"
    assert told(owner, secret)[2]["status"] == "completed"  # for whom it does make a difference
    told_again = told(owner, other)
    assert told_again[2]["status"] == "queued"  # the intruder's own answer is as little the owner's


def test_a_prompt_that_looks_like_anothers_does_not_find_its_answer(sides: Sides) -> None:
    """With the names under which the other's answers are kept, its beginning, its bytes in another form."""
    owner, intruder = sides.owner, sides.intruder
    system = "You answer for the owner's library alone. " * 20
    asked_of_owner = {"prompt": "Where are the atlases?", "system": system}
    job = owner.api.post("/v1/chat", json={**asked_of_owner, "cache": "semantic"}, params={"wait": 15})
    assert job.raise_for_status().json()["answer"]["text"] == answer_for(owner.tenant.id)
    kept = owner.api.get("/v1/cache/entries", params={"q": "atlases"}).raise_for_status().json()["data"]
    marks = [value for entry in kept for value in (entry["id"], entry["namespace"])]
    looks: list[dict[str, Any]] = [
        asked_of_owner,
        {**asked_of_owner, "prompt": "where are the ATLASES?"},
        {**asked_of_owner, "prompt": "  Where are the atlases?\n"},
        {"prompt": f"{system}\n\nWhere are the atlases?"},
        {"prompt": "Where are the atlases?", "system": f"{system}{owner.tenant.id}"},
        *({"prompt": f"Where are the atlases? {mark}", "system": system} for mark in marks),
        *({"prompt": "Where are the atlases?", "system": system, "metadata": {"entry": mark}} for mark in marks),
    ]
    for body in looks:
        answer = intruder.api.post("/v1/chat", json={**body, "cache": "semantic"}, params={"wait": 15})
        found = answer.raise_for_status().json()
        assert found["answer"]["text"] == answer_for(intruder.tenant.id)
    theirs = {entry["id"] for entry in kept}
    listed = intruder.api.get("/v1/cache/entries", params={"limit": 100}).raise_for_status().json()["data"]
    assert theirs.isdisjoint(entry["id"] for entry in listed)
    assert intruder.api.delete("/v1/cache/entries", params={"namespace": kept[0]["namespace"]}).json()["entries"] > 0
    again = owner.api.get("/v1/cache/entries", params={"q": "atlases"}).raise_for_status().json()["data"]
    assert [entry["id"] for entry in again] == [entry["id"] for entry in kept]


def test_figures_of_the_cache_are_each_tenants_own(sides: Sides) -> None:
    """Both have namespaces of the same hash; what is known of the owner's error is not known to the intruder."""
    owner, intruder = sides.owner, sides.intruder
    system = "You answer for a shop that both have."
    for side in (owner, intruder):
        side.api.post("/v1/chat", json={"prompt": "Is it open?", "system": system}, params={"wait": 15})
    sides.admin.execute(
        "update cache_namespaces set state = 'suspended', cut = 7, bound = 0.123, judged = 77, verdicts = 99"
        " where tenant_id = %s",
        (owner.tenant.id,),
    )
    try:
        for path in ("/v1/cache/stats", "/v1/cache/namespaces"):
            body = intruder.api.get(path).raise_for_status().json()
            listed = body["namespaces" if path.endswith("stats") else "data"]
            assert listed
            assert {one["state"] for one in listed} == {"learning"}
            assert {(one["cut"], one["bound"], one["judged"]) for one in listed} == {(None, None, 0)}
        assert intruder.api.get("/v1/cache/stats").json()["states"].keys() == {"learning"}
        namespaces = {one["namespace"] for one in listed}
        pair = {"asked": "is it OPEN?", "kept": "Is it open?"}
        for one in owner.api.get("/v1/cache/namespaces").json()["data"]:
            why = intruder.api.post("/v1/cache/explain", json={**pair, "namespace": one["namespace"]})
            assert why.status_code == (200 if one["namespace"] in namespaces else 404)
            assert why.status_code == 404 or why.json()["verdict"]["state"] == "learning"
    finally:
        sides.admin.execute(
            "update cache_namespaces set state = 'learning', cut = null, bound = null, judged = 0, verdicts = 0"
            " where tenant_id = %s",
            (owner.tenant.id,),
        )
