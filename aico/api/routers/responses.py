"""OpenAI's Responses: answered at once, in the background, or as a stream. Either rides the same queue as every job."""

import asyncio
import json
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from aico.api.answering import Taken, admitted, answered, named, submitted
from aico.api.auth import Principal
from aico.api.problems import documented_errors, failed
from aico.api.response_schemas import CountRequest, CountView, DeletedView, ItemPage, ResponseView
from aico.api.response_stream import ResponseStream, follow_until_deleted
from aico.api.routers.jobs import JSON, Key, Limit, cancelled
from aico.api.services import Held, Reader, Services, Writer
from aico.api.streaming import documented_stream, stream_of
from aico.api.submit_route import SubmitRoute, parsed
from aico.core.chat import Message
from aico.core.errors import Conflict, InvalidInput, NotFound, UnknownPrevious
from aico.core.jobs import Job, Surface
from aico.routing.tokens import estimate_input_tokens
from aico.store import jobs
from aico.store.scope import Scope
from aico.wire.controls import control_fields
from aico.wire.errors import Failure, answer_late, ended_without_answer
from aico.wire.ids import Prefix, public_id
from aico.wire.response_answer import response
from aico.wire.response_chain import earlier_messages
from aico.wire.response_items import input_items
from aico.wire.response_request import FIELDS, ResponseRequest

PATH = "/v1/responses"

router = APIRouter(tags=["OpenAI"])
submitting = APIRouter(tags=["OpenAI"], route_class=SubmitRoute)  # joins `router` at the end of this module

_SUBMIT_ERRORS = documented_errors(400, 401, 402, 403, 404, 409, 413, 422, 429, 502, 503, 504)
_READ_ERRORS = documented_errors(400, 401, 403, 404, 422, 503)
_COUNT_ERRORS = documented_errors(400, 401, 403, 422, 503)
_STREAM = documented_stream("The response, or its events where `stream` was asked for.")
_ResponseId = Annotated[str, Path(max_length=100, description="The response's id: `resp_…`.")]


@submitting.post(PATH, response_model=ResponseView, responses={**_STREAM, **_SUBMIT_ERRORS})
async def create_response(
    request: ResponseRequest, held: Held, principal: Writer, http: Request, key: Key = None
) -> Response:
    """Answer, now or in the `background`. `x-aico-…` headers, or `aico`, say what OpenAI has no field for."""
    earlier = await _earlier(held, principal, request.previous_response_id)
    submission = request.submission(control_fields(http.headers.items(), request.aico), earlier)
    try:
        job = await admitted(held, principal, submission, parsed(key))
    except InvalidInput as error:
        error.param = FIELDS.get(error.param or "", error.param)
        raise
    if request.stream:
        return _streamed(held, principal, await submitted(held, principal, job))
    if request.background:
        return _shown(await submitted(held, principal, job))
    return _whole(await answered(held, principal, job, held.settings.sync_wait_seconds, http))


@router.post(f"{PATH}/input_tokens", responses=_COUNT_ERRORS)
async def count_input_tokens(request: CountRequest, held: Held, principal: Reader) -> CountView:
    """Estimate how many tokens of text a request would be billed for. Tools and pictures are not counted."""
    chat = request.chat(await _earlier(held, principal, request.previous_response_id))
    # In a thread: the first count of a process loads the vocabulary.
    return CountView(input_tokens=await asyncio.to_thread(estimate_input_tokens, chat.messages))


@router.get(f"{PATH}/{{response_id}}", response_model=ResponseView, responses={**_STREAM, **_READ_ERRORS})
async def get_response(
    response_id: _ResponseId,
    held: Held,
    principal: Reader,
    stream: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    starting_after: Annotated[
        int | None, Query(ge=0, lt=2**53, description="Of a stream: the `sequence_number` of the last event read.")
    ] = None,
) -> Response:
    """Read a response as it stands, or go on reading the stream of a background one: nothing is lost."""
    job = await _find(held, principal, response_id)
    if not stream:
        return _shown(Taken(job))
    if not (job.streams and job.echo.get("background")):
        said = "only a response that was created with `background` and `stream` can be streamed again"
        raise InvalidInput(said, param="stream")
    return _streamed(held, principal, Taken(job), starting_after)


@router.post(f"{PATH}/{{response_id}}/cancel", response_model=ResponseView, responses=_READ_ERRORS)
async def cancel_response(response_id: _ResponseId, held: Held, principal: Writer) -> Response:
    """End a background response; its call is broken off. One that has ended already stays as it is."""
    job = await _find(held, principal, response_id)
    if not job.echo.get("background"):
        raise InvalidInput("only a background response can be cancelled", param="response_id")
    await cancelled(held, principal.tenant, job.id)
    return _shown(Taken(await _find(held, principal, response_id)))


@router.delete(f"{PATH}/{{response_id}}", responses={**_READ_ERRORS, **documented_errors(409)})
async def delete_response(response_id: _ResponseId, held: Held, principal: Writer) -> DeletedView:
    """Remove a response. One that is under way is ended first, so that its call stops."""
    job = await _find(held, principal, response_id)
    if job.batch_id is not None:  # its batch accounts for every line
        raise Conflict("the response is a line of a batch, and is kept with it", param="response_id")
    await cancelled(held, principal.tenant, job.id)
    await held.database.run(Scope.tenant(principal.tenant), jobs.delete(principal.tenant, job.id))
    return DeletedView(id=response_id)


@router.get(f"{PATH}/{{response_id}}/input_items", responses=_READ_ERRORS)
async def list_input_items(
    response_id: _ResponseId,
    held: Held,
    principal: Reader,
    limit: Limit = 20,
    order: Literal["asc", "desc"] = "desc",
    after: Annotated[str | None, Query(max_length=100, description="The `last_id` of the page before.")] = None,
) -> ItemPage:
    """List what a response was given as its own input: neither instructions nor what went before."""
    job = await _find(held, principal, response_id)
    (question,) = await held.database.run(Scope.tenant(principal.tenant), jobs.question(principal.tenant, job.id))
    items = input_items(job.id, question.messages[job.echo.get("first", 0) :])
    if order == "desc":
        items.reverse()
    if after is not None:
        places = [place for place, item in enumerate(items, start=1) if item["id"] == after]
        if not places:
            raise InvalidInput(f"there is no item {after!r}", param="after")
        items = items[places[0] :]
    return ItemPage.of(items, limit)


async def _earlier(held: Services, principal: Principal, previous: str | None) -> list[Message]:
    """The conversation up to that response. Raises UnknownPrevious, or InvalidInput where there is no answer."""
    if previous is None:
        return []
    try:
        job = await _find(held, principal, previous)
    except NotFound as error:
        raise UnknownPrevious(
            f"there is no response {previous!r} to go on from", param="previous_response_id"
        ) from error
    (question,) = await held.database.run(Scope.tenant(principal.tenant), jobs.question(principal.tenant, job.id))
    return earlier_messages(job, question)


async def _find(held: Services, principal: Principal, response_id: str) -> Job:
    """Raises NotFound, also for one of another tenant, and for one that was not to be stored."""
    job = await named(held, principal.tenant, Prefix.RESPONSE, response_id, Surface.RESPONSE)
    if job is None or not job.echo.get("store"):
        raise NotFound(f"there is no response {response_id!r}", param="response_id")
    return job


def _streamed(held: Services, principal: Principal, taken: Taken, after: int | None = None) -> Response:
    """Begins at once, so that the caller learns the id that it may go on with."""
    heard = follow_until_deleted(held, principal.tenant, taken.job.id)
    return stream_of(heard, ResponseStream(taken.job, after), taken.headers)


def _whole(taken: Taken) -> Response:
    """The answer that was waited for; without one there is an error that says why."""
    job = taken.job
    if job.answer is not None:
        return _shown(taken)
    failure = ended_without_answer(job) if job.status.final else _late(job)
    failure.headers.update(taken.headers)
    return failed(failure)


def _shown(taken: Taken) -> Response:
    content = json.dumps(response(taken.job), ensure_ascii=False, separators=(",", ":"))
    return Response(content, 200, taken.headers, JSON)


def _late(job: Job) -> Failure:
    stored = f"{PATH}/{public_id(Prefix.RESPONSE, job.id)}"
    return answer_late(stored if job.echo.get("store") else f"/v1/jobs/{job.id}")


router.routes[:0] = submitting.routes
