"""OpenAI's chat completions: answered whole, or as a stream. Either rides the same queue as every job."""

import json
import re
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from aico.api.answering import Taken, admitted, answered, ended_or_late, named, submitted
from aico.api.auth import Principal
from aico.api.chat_stream import ChatStream
from aico.api.completion_schemas import ChatCompletionView
from aico.api.problems import documented_errors, failed
from aico.api.relay import Ended, follow
from aico.api.routers.jobs import JSON, Key
from aico.api.services import Held, Reader, Services, Writer
from aico.api.streaming import documented_stream, first_word, stream_of
from aico.api.submit_route import SubmitRoute, parsed
from aico.core.errors import NotFound
from aico.core.jobs import Job, Surface
from aico.wire.chat_answer import completion
from aico.wire.chat_request import ChatCompletionRequest
from aico.wire.controls import control_fields
from aico.wire.errors import answer_late, ended_without_answer
from aico.wire.ids import Prefix, public_id
from aico.wire.sequence import place

PATH = "/v1/chat/completions"

router = APIRouter(tags=["OpenAI"])
submitting = APIRouter(tags=["OpenAI"], route_class=SubmitRoute)  # joins `router` at the end of this module

_SUBMIT_ERRORS = documented_errors(400, 401, 402, 403, 404, 409, 413, 422, 429, 502, 503, 504)
_READ_ERRORS = documented_errors(400, 401, 402, 403, 404, 409, 413, 422, 502, 503, 504)
_STREAM = documented_stream("The completion, or its chunks where `stream` was asked for.")
_NUMBER = re.compile(r"[0-9]{1,16}")
_CompletionId = Annotated[str, Path(max_length=100, description="The completion's id: `chatcmpl-…`.")]


@submitting.post(PATH, response_model=ChatCompletionView, responses={**_STREAM, **_SUBMIT_ERRORS})
async def create_completion(
    request: ChatCompletionRequest, held: Held, principal: Writer, http: Request, key: Key = None
) -> Response:
    """Continue a conversation. `x-aico-…` headers, or `aico` in the body, say what OpenAI has no field for."""
    submission = request.submission(control_fields(http.headers.items(), request.aico))
    job = await admitted(held, principal, submission, parsed(key))
    if request.stream:
        taken = await submitted(held, principal, job)
        return await _streamed(held, principal, taken, with_usage=request.wants_usage)
    taken = await answered(held, principal, job, held.settings.sync_wait_seconds, http)
    return _whole(taken)


@router.get(f"{PATH}/{{completion_id}}", response_model=ChatCompletionView, responses={**_STREAM, **_READ_ERRORS})
async def get_completion(
    completion_id: _CompletionId,
    held: Held,
    principal: Reader,
    http: Request,
    stream: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    starting_after: Annotated[
        int | None, Query(ge=0, lt=2**53, description="Of a stream: the `id:` of the last event that was read.")
    ] = None,
) -> Response:
    """Read a completion as soon as it has ended, or go on reading its stream: nothing is lost with a connection."""
    job = await _find(held, principal, completion_id)
    if not stream:
        return _whole(Taken(await ended_or_late(held, principal.tenant, job.id, held.settings.sync_wait_seconds)))
    last = http.headers.get("last-event-id", "")
    after = int(last) if starting_after is None and _NUMBER.fullmatch(last) else starting_after
    return await _streamed(held, principal, Taken(job), with_usage=True, after=after)


async def _streamed(
    held: Services, principal: Principal, taken: Taken, *, with_usage: bool, after: int | None = None
) -> Response:
    """A failure before the first word is an error like any other; later ones are told within the stream."""
    job = taken.job
    heard = follow(held, principal.tenant, job.id)
    first = await first_word(heard)
    if isinstance(first, Ended):
        if first.job.answer is None:
            return failed(ended_without_answer(first.job))
        taken = replace(taken, job=first.job)
    form = ChatStream(job, with_usage=with_usage, after=None if after is None else place(after))
    return stream_of(heard, form, taken.headers, first)


def _whole(taken: Taken) -> Response:
    job = taken.job
    if job.answer is not None and job.routing is not None:
        content = completion(job.id, job.created_at, job.answer, job.routing)
        return Response(json.dumps(content, ensure_ascii=False), 200, taken.headers, JSON)
    late = answer_late(f"{PATH}/{public_id(Prefix.COMPLETION, job.id)}")
    failure = ended_without_answer(job) if job.status.final else late
    failure.headers.update(taken.headers)
    return failed(failure)


async def _find(held: Services, principal: Principal, completion_id: str) -> Job:
    """Raises NotFound."""
    job = await named(held, principal.tenant, Prefix.COMPLETION, completion_id, Surface.CHAT)
    if job is None:
        raise NotFound(f"there is no completion {completion_id!r}", param="completion_id")
    return job


router.routes[:0] = submitting.routes
