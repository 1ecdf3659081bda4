"""Chat completions as OpenAI's own client meets them. Tests play the worker."""

import json
from typing import Any

import openai
import pytest
import redis
from api.conftest import Rows, Workers, serving
from api.talking import StreamingWorker, client, working
from conftest import Tenant
from openai import OpenAI

from aico.core.chat import Choice, FinishReason, Role, ToolCall
from aico.core.jobs import JobClass, Surface
from aico.core.settings import Settings
from aico.store import jobs
from aico.store.blocking import Database
from aico.store.scope import Scope

QUESTION: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]
TOOL: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture
def able(able_service: str, tenant: Tenant) -> OpenAI:
    return client(able_service, tenant.key)


@pytest.fixture
def worker(database: Database, broker: redis.Redis, tenant: Tenant) -> StreamingWorker:
    return StreamingWorker(database, broker, tenant.id)


def test_a_question_is_answered_as_a_completion(able: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: worker.end(worker.claim(worker.newest()), "Paris.", cached_tokens=2, reasoning_tokens=1)):
        raw = able.chat.completions.with_raw_response.create(model="auto", messages=QUESTION)
    answer = raw.parse()
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == "smollm2-135m"
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "Paris.", "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (5, 3, 8)
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 2
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.headers["x-aico-cache"] == "miss"
    assert (raw.headers["x-aico-cost-cents"], raw.headers["x-aico-saved-cents"]) == ("0.5", "1.5")
    assert raw.headers["x-aico-model"] == "smollm2-135m"
    assert answer.model_extra is not None
    assert answer.model_extra["aico"]["job_id"] == raw.headers["x-aico-job-id"]


def test_the_same_question_is_answered_from_the_cache(able: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: worker.end(worker.claim(worker.newest()), "Paris.")):
        able.chat.completions.create(model="auto", messages=QUESTION)
    raw = able.chat.completions.with_raw_response.create(model="auto", messages=QUESTION)
    assert raw.parse().choices[0].message.content == "Paris."
    assert (raw.headers["x-aico-cache"], raw.headers["x-aico-cost-cents"]) == ("exact", "0")


PICTURE = "data:image/png;base64,iVBORw0KGgo="
CONVERSATION: list[Any] = [
    {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]},
    {
        "role": "assistant",
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "Rain."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "And this?"},
            {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
        ],
    },
]


def test_every_common_parameter_reaches_the_worker(able: OpenAI, worker: StreamingWorker, database: Database) -> None:
    seen = []

    def work() -> None:
        held = worker.claim(worker.newest())
        seen.append(held.request)
        worker.end(held, "{}")

    with working(work):
        able.chat.completions.create(
            model="able",
            messages=CONVERSATION,
            max_completion_tokens=50,
            temperature=0.5,
            top_p=0.9,
            presence_penalty=0.1,
            frequency_penalty=-0.1,
            logit_bias={"50256": -100},
            stop="END",
            seed=7,
            logprobs=True,
            top_logprobs=2,
            tools=[TOOL],
            tool_choice={"type": "function", "function": {"name": "weather"}},
            parallel_tool_calls=False,
            response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
            reasoning_effort="low",
            user="somebody",
            metadata={"team": "support"},
        )
    (asked,) = seen
    assert [message.role for message in asked.messages] == [Role.SYSTEM, Role.ASSISTANT, Role.TOOL, Role.USER]
    assert asked.messages[0].content == "Be brief."
    assert asked.messages[1].tool_calls == (ToolCall(id="call_1", name="weather", arguments="{}"),)
    assert asked.messages[3].images[0].url == PICTURE
    assert (asked.max_tokens, asked.temperature, asked.top_p, asked.seed) == (50, 0.5, 0.9, 7)
    assert (asked.presence_penalty, asked.frequency_penalty, asked.logit_bias) == (0.1, -0.1, {"50256": -100})
    assert (asked.stop, asked.logprobs, asked.top_logprobs) == (("END",), True, 2)
    assert asked.tools[0].name == "weather"
    assert asked.tool_choice is not None
    assert (asked.tool_choice.mode, asked.tool_choice.name) == ("one", "weather")
    assert asked.json_schema is not None
    assert asked.json_schema.schema_ == {"type": "object"}
    assert (asked.parallel_tool_calls, asked.reasoning_effort, asked.hints) == (False, "low", {"user": "somebody"})


def test_tool_calls_and_further_choices_come_back(able: OpenAI, worker: StreamingWorker) -> None:
    call = ToolCall(id="call_9", name="weather", arguments='{"city": "Paris"}')
    more = (Choice(text="Or not.", finish_reason=FinishReason.STOP),)

    def work() -> None:
        held = worker.claim(worker.newest())
        worker.end(held, "", finish_reason=FinishReason.TOOL_CALLS, tool_calls=(call,), more=more)

    with working(work):
        answer = able.chat.completions.create(model="able", messages=QUESTION, tools=[TOOL], n=2)
    first, second = answer.choices
    assert (first.finish_reason, first.message.content) == ("tool_calls", None)
    assert first.message.tool_calls is not None
    (called,) = first.message.tool_calls
    assert called.type == "function"
    assert (called.id, called.function.name, json.loads(called.function.arguments)) == (
        "call_9",
        "weather",
        {"city": "Paris"},
    )
    assert (second.index, second.message.content) == (1, "Or not.")


def test_controls_come_in_the_body_or_in_headers_and_the_body_wins(
    able: OpenAI, worker: StreamingWorker, database: Database, tenant: Tenant
) -> None:
    with working(lambda: worker.end(worker.claim(worker.newest()), "Paris.")):
        raw = able.chat.completions.with_raw_response.create(
            model="auto:cheap",
            messages=QUESTION,
            metadata={"team": "a"},
            extra_headers={
                "x-aico-cache": "exact",
                "x-aico-max-staleness": "60",
                "x-aico-tags": "beta, search",
                "x-aico-class": "standard",
                "x-aico-deadline": "2030-01-01T00:00:00Z",
            },
            extra_body={"aico": {"cache": "refresh", "quality_floor": 0.05, "completion_window": "2h"}},
        )
    (job,) = database.run(Scope.tenant(tenant.id), jobs.page(tenant.id, after=None, status=None, limit=1, tag="beta"))
    assert str(job.id) == raw.headers["x-aico-job-id"]
    assert (job.surface, job.job_class, job.tags) == (Surface.CHAT, JobClass.STANDARD, ("beta", "search"))
    assert (job.controls.max_staleness_seconds, job.controls.quality_floor) == (60, 0.05)
    assert (job.model, job.metadata) == ("auto:cheap", {"team": "a"})
    assert (job.deadline - job.created_at).total_seconds() == pytest.approx(7200, abs=5)
    assert raw.headers["x-aico-cache"] == "miss"


def test_a_completion_can_be_read_again(able: OpenAI, worker: StreamingWorker, workers: Workers) -> None:
    with working(lambda: worker.end(worker.claim(worker.newest()), "Paris.")):
        answer = able.chat.completions.create(model="auto", messages=QUESTION)
    assert able.chat.completions.retrieve(answer.id).model_dump() == answer.model_dump()
    with pytest.raises(openai.NotFoundError):
        able.chat.completions.retrieve("chatcmpl-" + "0" * 32)
    with pytest.raises(openai.NotFoundError):
        able.chat.completions.retrieve("nothing")


def test_an_idempotency_key_makes_one_job(able: OpenAI, worker: StreamingWorker, rows: Rows, tenant: Tenant) -> None:
    headers = {"Idempotency-Key": "once"}
    with working(lambda: worker.end(worker.claim(worker.newest()), "Paris.")):
        first = able.chat.completions.create(model="auto", messages=QUESTION, extra_headers=headers)
    raw = able.chat.completions.with_raw_response.create(model="auto", messages=QUESTION, extra_headers=headers)
    assert raw.headers["Idempotency-Replayed"] == "true"
    assert raw.parse().id == first.id
    assert rows.jobs(tenant.id) == 1
    with pytest.raises(openai.UnprocessableEntityError):
        able.chat.completions.create(model="able", messages=QUESTION, extra_headers=headers)


@pytest.mark.parametrize(
    ("code", "error", "status"),
    [
        ("all_candidates_failed", openai.InternalServerError, 502),
        ("request_refused", openai.BadRequestError, 400),
        ("budget_exceeded", openai.APIStatusError, 402),
        ("deadline_exceeded", openai.InternalServerError, 504),
    ],
)
def test_a_job_that_fails_is_an_error_that_is_not_sent_again(
    able_service: str,
    worker: StreamingWorker,
    tenant: Tenant,
    rows: Rows,
    code: str,
    error: type[openai.APIStatusError],
    status: int,
) -> None:
    patient = client(able_service, tenant.key, max_retries=2)
    with working(lambda: worker.fail(worker.claim(worker.newest()), code)), pytest.raises(error) as caught:
        patient.chat.completions.create(model="auto", messages=QUESTION)
    assert caught.value.status_code == status
    assert caught.value.code == code
    assert caught.value.request_id is not None
    assert rows.jobs(tenant.id) == 1


def test_an_answer_that_is_late_is_not_lost(
    base_settings: Settings, tenant: Tenant, worker: StreamingWorker, rows: Rows
) -> None:
    with serving(base_settings.model_copy(update={"sync_wait_seconds": 0.2})) as url:
        patient = client(url, tenant.key, max_retries=2)
        with pytest.raises(openai.InternalServerError) as caught:
            patient.chat.completions.create(model="auto", messages=QUESTION)
        assert caught.value.code == "answer_late"
        assert rows.jobs(tenant.id) == 1
        worker.end(worker.claim(worker.newest()), "Paris.")
        completion = str(caught.value.message).split("/v1/chat/completions/")[1].split()[0]
        assert patient.chat.completions.retrieve(completion).choices[0].message.content == "Paris."


def test_another_tenant_sees_no_completion(
    able: OpenAI, able_service: str, worker: StreamingWorker, make_tenant: Any
) -> None:
    with working(lambda: worker.end(worker.claim(worker.newest()), "Paris.")):
        answer = able.chat.completions.create(model="auto", messages=QUESTION)
    stranger = client(able_service, make_tenant().key)
    with pytest.raises(openai.NotFoundError):
        stranger.chat.completions.retrieve(answer.id)


def test_several_choices_are_never_served_again(able: OpenAI, worker: StreamingWorker) -> None:
    for _ in range(2):
        with working(lambda: worker.end(worker.claim(worker.newest()), "Paris.")):
            raw = able.chat.completions.with_raw_response.create(model="able", messages=QUESTION, n=2)
        assert raw.headers["x-aico-cache"] == "miss"
