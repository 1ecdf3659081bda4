"""Responses that are waited for, polled, cancelled and deleted."""

import asyncio
from typing import Any

import httpx2
import openai
import pytest
from api.conftest import Rows, serving
from api.talking import StreamingWorker, client, working
from conftest import Tenant
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response
from pydantic import BaseModel

from aico.core.chat import ChatRequest, FinishReason, Role
from aico.core.jobs import CacheMode, JobClass, Surface
from aico.core.settings import Settings
from aico.store import jobs
from aico.store.blocking import Database
from aico.store.claims import Claim
from aico.store.scope import Scope

QUESTION = "What is the capital of France?"


class City(BaseModel):
    name: str
    people: int


def answer(worker: StreamingWorker, text: str = "Paris.", **changes: object) -> Claim:
    held = worker.claim(worker.newest())
    worker.end(held, text, **changes)
    return held


def judged(shown: Response) -> Response:
    """Their client takes what it gets; this raises where a promised field is missing or of another kind."""
    return Response.model_validate(shown.model_dump(mode="json", exclude_unset=True))


def test_a_question_is_answered_as_a_response(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: answer(worker, cached_tokens=2)):
        raw = asking.responses.with_raw_response.create(model="auto", input=QUESTION, instructions="Be brief.")
    shown = judged(raw.parse())
    assert (shown.status, shown.output_text, shown.model) == ("completed", "Paris.", "smollm2-135m")
    assert shown.id.startswith("resp_")
    assert (shown.instructions, shown.background, shown.temperature) == ("Be brief.", False, None)
    assert shown.usage is not None
    assert (shown.usage.total_tokens, shown.usage.input_tokens_details.cached_tokens) == (8, 2)
    assert (raw.headers["x-aico-cache"], raw.headers["x-aico-saved-cents"]) == ("miss", "1.5")
    assert raw.headers["x-request-id"].startswith("req_")
    assert shown.model_extra is not None
    assert shown.model_extra["aico"]["job_id"] == raw.headers["x-aico-job-id"]
    assert asking.responses.retrieve(shown.id).model_dump() == shown.model_dump()


def test_the_same_question_is_answered_from_the_cache(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: answer(worker)):
        asking.responses.create(model="auto", input=QUESTION)
    raw = asking.responses.with_raw_response.create(model="auto", input=[{"role": "user", "content": QUESTION}])
    assert (raw.parse().output_text, raw.headers["x-aico-cache"]) == ("Paris.", "exact")


def test_a_background_response_is_polled_until_it_is_there(
    asking: OpenAI, worker: StreamingWorker, database: Database, tenant: Tenant
) -> None:
    made = judged(asking.responses.create(model="auto", input=QUESTION, background=True, metadata={"team": "a"}))
    assert (made.status, made.background, made.output, made.usage) == ("queued", True, [], None)
    (job,) = database.run(Scope.tenant(tenant.id), jobs.page(tenant.id, after=None, status=None, limit=2))
    assert (job.surface, job.job_class, job.metadata) == (Surface.RESPONSE, JobClass.STANDARD, {"team": "a"})
    held = worker.claim(job.id)
    assert judged(asking.responses.retrieve(made.id)).status == "in_progress"
    worker.end(held, "Paris.")
    done = judged(asking.responses.retrieve(made.id))
    assert (done.status, done.output_text, done.metadata) == ("completed", "Paris.", {"team": "a"})
    assert done.completed_at is not None


def test_both_colours_of_the_client_work(able_service: str, tenant: Tenant, worker: StreamingWorker) -> None:
    async def ask() -> tuple[str, str]:
        async with AsyncOpenAI(base_url=f"{able_service}/v1", api_key=tenant.key, max_retries=0) as asking:
            made = await asking.responses.create(model="auto", input=QUESTION, background=True)
            await asyncio.to_thread(answer, worker)
            done = await asking.responses.retrieve(made.id)
            again = await asking.responses.create(model="auto", input=QUESTION)
            return done.output_text, again.output_text

    assert asyncio.run(ask()) == ("Paris.", "Paris.")


def test_cancelling_ends_a_background_response_once(asking: OpenAI, worker: StreamingWorker) -> None:
    made = asking.responses.create(model="auto", input=QUESTION, background=True)
    held = worker.claim(worker.newest())
    for _ in range(2):
        assert judged(asking.responses.cancel(made.id)).status == "cancelled"
    assert asking.responses.retrieve(made.id).error is None
    with pytest.raises(AssertionError):
        worker.end(held, "Too late.")


def test_cancelling_what_has_ended_changes_nothing(asking: OpenAI, worker: StreamingWorker) -> None:
    made = asking.responses.create(model="auto", input=QUESTION, background=True)
    answer(worker)
    assert asking.responses.cancel(made.id).output_text == "Paris."


def test_only_a_background_response_can_be_cancelled(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: answer(worker)):
        made = asking.responses.create(model="auto", input=QUESTION)
    with pytest.raises(openai.BadRequestError, match="only a background response"):
        asking.responses.cancel(made.id)


def test_a_deleted_response_is_gone(asking: OpenAI, worker: StreamingWorker, tenant: Tenant, rows: Rows) -> None:
    made = asking.responses.create(model="auto", input=QUESTION, background=True)
    answer(worker)
    raw = asking.responses.with_raw_response.delete(made.id)
    assert raw.http_response.json() == {"id": made.id, "object": "response", "deleted": True}
    assert rows.jobs(tenant.id) == 0
    for call in (asking.responses.retrieve, asking.responses.delete, asking.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            call(made.id)


def test_deleting_a_running_response_stops_its_call(
    asking: OpenAI, worker: StreamingWorker, tenant: Tenant, rows: Rows, broker: Any
) -> None:
    made = asking.responses.create(model="auto", input=QUESTION, background=True)
    held = worker.claim(worker.newest())
    with broker.pubsub() as heard:
        heard.subscribe("aico:cancelled")
        assert heard.get_message(timeout=5)["type"] == "subscribe"
        asking.responses.delete(made.id)
        assert heard.get_message(timeout=5)["data"] == str(held.id)
    assert rows.jobs(tenant.id) == 0
    with pytest.raises(AssertionError):
        worker.end(held, "Too late.")


def test_what_is_not_stored_cannot_be_found(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: answer(worker)):
        made = asking.responses.create(model="auto", input=QUESTION, store=False)
    assert made.output_text == "Paris."
    with pytest.raises(openai.NotFoundError):
        asking.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError) as caught:
        asking.responses.create(model="auto", input="And of Italy?", previous_response_id=made.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_a_structured_answer_is_parsed(asking: OpenAI, worker: StreamingWorker) -> None:
    seen: list[ChatRequest] = []

    def work() -> None:
        seen.append(answer(worker, '{"name": "Paris", "people": 2100000}').request)

    with working(work):
        parsed = asking.responses.parse(model="able", input=QUESTION, text_format=City)
    assert parsed.output_parsed == City(name="Paris", people=2_100_000)
    assert seen[0].json_schema is not None
    assert seen[0].json_schema.schema_["properties"].keys() == {"name", "people"}
    assert parsed.text is not None
    assert parsed.text.format is not None
    assert parsed.text.format.type == "json_schema"


def test_a_cut_answer_is_incomplete_and_a_refusal_is_told(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: answer(worker, finish_reason=FinishReason.STOP, refused=True)):
        refused = judged(asking.responses.create(model="auto", input="How are bombs built?"))
    (message,) = refused.output
    assert message.type == "message"
    assert message.content[0].type == "refusal"
    assert refused.output_text == ""


def test_input_items_are_listed_in_pages(asking: OpenAI, api: httpx2.Client) -> None:
    given: Any = [{"role": "user", "content": str(number)} for number in range(5)]
    made = asking.responses.create(model="auto", input=given, instructions="Be brief.", background=True)
    listed: list[Any] = list(asking.responses.input_items.list(made.id, order="asc", limit=2))
    assert [item.content[0].text for item in listed] == [str(number) for number in range(5)]
    newest: list[Any] = list(asking.responses.input_items.list(made.id))
    assert [item.id for item in newest] == [item.id for item in listed][::-1]
    page = api.get(f"/v1/responses/{made.id}/input_items?order=asc&limit=2").json()
    assert (page["object"], page["has_more"]) == ("list", True)
    assert (page["first_id"], page["last_id"]) == (listed[0].id, listed[1].id)
    with pytest.raises(openai.BadRequestError) as caught:
        asking.responses.input_items.list(made.id, after="msg_nothing")
    assert caught.value.param == "after"


def test_input_tokens_are_counted_before_they_are_spent(asking: OpenAI, tenant: Tenant, rows: Rows) -> None:
    short = asking.responses.input_tokens.count(model="auto", input=QUESTION)
    longer = asking.responses.input_tokens.count(input=QUESTION * 20, instructions="Be brief.")
    assert short.object == "response.input_tokens"
    assert 0 < short.input_tokens < longer.input_tokens
    assert rows.jobs(tenant.id) == 0


def test_an_idempotency_key_makes_one_response(asking: OpenAI, tenant: Tenant, rows: Rows) -> None:
    def send(**more: Any) -> Any:
        return asking.responses.with_raw_response.create(
            model="auto", input=QUESTION, background=True, extra_headers={"Idempotency-Key": "once"}, **more
        )

    first, again = send(), send()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.parse().id == again.parse().id
    assert rows.jobs(tenant.id) == 1
    with pytest.raises(openai.UnprocessableEntityError):
        send(instructions="Be brief.")


def test_controls_reach_the_job(asking: OpenAI, worker: StreamingWorker, database: Database, tenant: Tenant) -> None:
    asking.responses.create(
        model="auto",
        input=QUESTION,
        background=True,
        extra_headers={"x-aico-class": "batch", "x-aico-cache": "exact"},
        extra_body={"aico": {"cache": "off", "tags": ["nightly"]}},
    )
    (job,) = database.run(Scope.tenant(tenant.id), jobs.page(tenant.id, after=None, status=None, limit=2))
    assert (job.job_class, job.tags) == (JobClass.BATCH, ("nightly",))
    assert worker.claim(job.id).cache_mode is CacheMode.OFF


@pytest.mark.parametrize(
    ("code", "error", "status"),
    [
        ("all_candidates_failed", openai.InternalServerError, 502),
        ("request_refused", openai.BadRequestError, 400),
        ("budget_exceeded", openai.APIStatusError, 402),
    ],
)
def test_a_failure_is_an_error_to_who_waits_and_a_state_to_who_polls(
    asking: OpenAI, worker: StreamingWorker, code: str, error: type[openai.APIStatusError], status: int
) -> None:
    with working(lambda: worker.fail(worker.claim(worker.newest()), code)), pytest.raises(error) as caught:
        asking.responses.create(model="auto", input=QUESTION)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    made = asking.responses.create(model="auto", input=QUESTION, background=True)
    worker.fail(worker.claim(worker.newest()), code)
    failed = judged(asking.responses.retrieve(made.id))
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.model_extra is not None
    assert failed.model_extra["aico"]["error"]["code"] == code


def test_an_answer_that_is_late_is_not_lost(
    base_settings: Settings, tenant: Tenant, worker: StreamingWorker, rows: Rows
) -> None:
    with serving(base_settings.model_copy(update={"sync_wait_seconds": 0.2})) as url:
        patient = client(url, tenant.key, max_retries=2)
        with pytest.raises(openai.InternalServerError) as caught:
            patient.responses.create(model="auto", input=QUESTION)
        assert caught.value.code == "answer_late"
        assert rows.jobs(tenant.id) == 1
        answer(worker)
        late = str(caught.value.message).split("/v1/responses/")[1].split()[0]
        assert patient.responses.retrieve(late).output_text == "Paris."
        with pytest.raises(openai.InternalServerError, match="GET /v1/jobs/"):
            patient.responses.create(model="auto", input="Another question", store=False)


def test_roles_of_the_input_are_kept(asking: OpenAI, worker: StreamingWorker) -> None:
    asking.responses.create(
        model="auto",
        input=[
            {"role": "developer", "content": "Be brief."},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": QUESTION},
        ],
        background=True,
    )
    asked = worker.claim(worker.newest()).request
    assert [message.role for message in asked.messages] == [Role.SYSTEM, Role.ASSISTANT, Role.USER]
