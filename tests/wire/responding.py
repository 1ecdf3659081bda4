"""Jobs that came through the door of OpenAI's Responses, and the judgement of their client's types."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from aico.core.chat import FinishReason, ToolCall
from aico.core.inputs import ControlFields
from aico.core.jobs import Answer, CacheState, Job, JobClass, JobError, JobStatus, RoutingReport, Stage, Surface
from aico.wire.response_request import ResponseRequest

CREATED = datetime(2026, 11, 1, 9, tzinfo=UTC)
JOB = UUID("01a2088b-ad25-7863-b70d-0c1d65801cef")
HEX = JOB.hex
CALLS = (
    ToolCall(id="call_1", name="weather", arguments='{"city":"Rome"}'),
    ToolCall(id="call_2", name="time", arguments=""),
)

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def request(**fields: Any) -> ResponseRequest:
    return ResponseRequest.model_validate({"model": "auto", "input": "Hello", **fields})


def queued(**fields: Any) -> Job:
    """As stored; `fields` are those of the request."""
    asked = request(**fields)
    submission = asked.submission(ControlFields())
    return Job(
        id=JOB,
        status=JobStatus.QUEUED,
        stage=Stage.ROUTE,
        job_class=JobClass.INTERACTIVE,
        created_at=CREATED,
        deadline=CREATED + timedelta(minutes=10),
        admitted=True,
        model=asked.model,
        metadata=submission.metadata,
        surface=Surface.RESPONSE,
        echo=submission.echo,
        streams=submission.streams,
    )


def answered(job: Job, text: str = "Paris.", *, fence: int = 1, **answer: Any) -> Job:
    reason = answer.pop("finish_reason", FinishReason.STOP)
    cut = reason in {FinishReason.LENGTH, FinishReason.CONTENT_FILTER}
    return job.model_copy(
        update={
            "status": JobStatus.INCOMPLETE if cut else JobStatus.COMPLETED,
            "fence": fence,
            "finished_at": CREATED + timedelta(seconds=3),
            "answer": Answer(text=text, finish_reason=reason, input_tokens=5, output_tokens=3, **answer),
            "routing": RoutingReport(
                provider="local", model="smollm2-135m", strategy="complexity", cache=CacheState.MISS, cost_cents="0.5"
            ),
        }
    )


def ended(job: Job, status: JobStatus, code: str, *, fence: int = 1) -> Job:
    error = JobError(code=code, message="in its own words")
    return job.model_copy(update={"status": status, "fence": fence, "finished_at": CREATED, "error": error})


def judged(shown: dict[str, Any]) -> Response:
    """Raises ValidationError where a field that their client promises is missing or of another kind."""
    return Response.model_validate(shown)


def judged_event(shown: dict[str, Any]) -> Any:
    return _EVENT.validate_python(shown)
