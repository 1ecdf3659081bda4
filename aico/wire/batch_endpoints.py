"""Which of OpenAI's routes a batch may be for: how a line's body is read, and how its answer is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from aico.core.errors import InvalidInput
from aico.core.inputs import ControlFields
from aico.core.jobs import Job, JobClass
from aico.core.submission import Submission
from aico.wire.chat_answer import completion
from aico.wire.chat_request import ChatCompletionRequest
from aico.wire.response_answer import response
from aico.wire.response_request import FIELDS, ResponseRequest

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BatchEndpoint:
    """`read` raises ValidationError or InvalidInput; `render` takes a job that has an answer.

    `fields` are the endpoint's own names of our fields, where they differ.
    """

    read: Callable[[Json], Submission]
    render: Callable[[Job], Json]
    fields: Mapping[str, str] = field(default_factory=dict)


def _read_completion(body: Json) -> Submission:
    request = ChatCompletionRequest.model_validate(body)
    controls = request.aico or ControlFields()
    return _of_a_batch(request.submission(controls), controls)


def _read_response(body: Json) -> Submission:
    request = ResponseRequest.model_validate(body)
    if request.previous_response_id is not None:
        raise InvalidInput("the lines of a batch cannot go on from another response", param="previous_response_id")
    controls = request.aico or ControlFields()
    return _of_a_batch(request.submission(controls), controls)


def _completion(job: Job) -> Json:
    if job.answer is None or job.routing is None:
        raise ValueError(f"job {job.id} has no answer")
    return completion(job.id, job.created_at, job.answer, job.routing)


def _of_a_batch(submission: Submission, controls: ControlFields) -> Submission:
    """Nobody waits for a line that does not say so."""
    if submission.streams:
        raise InvalidInput("the lines of a batch cannot be streamed", param="stream")
    chosen = "job_class" in controls.model_fields_set
    return submission if chosen else replace(submission, job_class=JobClass.BATCH)


ENDPOINTS: Mapping[str, BatchEndpoint] = MappingProxyType(
    {
        "/v1/chat/completions": BatchEndpoint(_read_completion, _completion),
        "/v1/responses": BatchEndpoint(_read_response, response, FIELDS),
    }
)
