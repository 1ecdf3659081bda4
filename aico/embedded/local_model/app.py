import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any, cast

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse

from aico.core.errors import AicoError, InvalidInput, Unavailable, UnknownModel
from aico.embedded.local_model.engine import Called, Engine, Event, Finished, Piece, Prompt
from aico.embedded.local_model.wire import (
    ChatCompletionRequest,
    ChunkWriter,
    Said,
    completion_json,
    error_json,
    model_json,
)

_CLIENT_CLOSED = 499  # nobody is left to read it
_SSE_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

Choices = AsyncGenerator[tuple[int, Event], None]


def create_app(load: Callable[[], Engine]) -> FastAPI:
    """`load` runs once in a thread after the server has begun to listen; until it returns every route answers 503."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.loading = asyncio.create_task(asyncio.to_thread(load))
        app.state.created = int(time.time())
        yield
        (await app.state.loading).close()

    app = FastAPI(title="Local model", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.get("/health")(health)
    app.get("/v1/models")(models)
    app.post("/v1/chat/completions", response_model=None)(chat_completions)
    app.add_exception_handler(AicoError, _render)
    app.add_exception_handler(RequestValidationError, _render_validation)
    return app


def loaded_engine(request: Request) -> Engine:
    loading: asyncio.Task[Engine] = request.app.state.loading
    if not loading.done():
        raise Unavailable("the model is being loaded", retry_after=1)
    return loading.result()


LoadedEngine = Annotated[Engine, Depends(loaded_engine)]


async def health(engine: LoadedEngine) -> dict[str, str]:
    return {"status": "ok", "model": engine.model_id}


async def models(request: Request, engine: LoadedEngine) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [model_json(engine.model_id, engine.owned_by, request.app.state.created)],
    }


async def chat_completions(body: ChatCompletionRequest, request: Request, engine: LoadedEngine) -> Response:
    if body.model != engine.model_id:
        raise UnknownModel(f"this server has no model {body.model!r}, only {engine.model_id!r}", param="model")
    if not engine.structured:
        body.require_plain()
    choices = _choices(engine, body.to_prompt(), body.choices)
    completion_id = f"chatcmpl-{uuid.uuid4().hex}"
    if not body.stream:
        return await _whole(choices, body, completion_id, request)
    first = await anext(choices)  # a refusal must come before the status line says 200
    writer = ChunkWriter(completion_id, engine.model_id, wants_usage=body.wants_usage)
    lines = _lines(first, choices, writer, wants_usage=body.wants_usage)
    return StreamingResponse(lines, media_type="text/event-stream", headers=_SSE_HEADERS)


async def _choices(engine: Engine, prompt: Prompt, count: int) -> Choices:
    """The events of one answer after the other, each with the number of its answer."""
    for choice in range(count):
        event: Event | None = None
        async with aclosing(engine.answer(replace(prompt, choice=choice))) as answer:
            async for event in answer:
                yield choice, event
        if not isinstance(event, Finished):
            raise Unavailable("the answer broke off")


async def _whole(choices: Choices, body: ChatCompletionRequest, completion_id: str, request: Request) -> Response:
    """The whole answer; a caller who hangs up ends the work."""
    answering = asyncio.create_task(_collect(choices, body.choices))
    leaving = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            return Response(status_code=_CLIENT_CLOSED)
        said = answering.result()
    finally:
        answering.cancel()
        leaving.cancel()
    return JSONResponse(completion_json(completion_id, body.model, said))


async def _collect(choices: Choices, count: int) -> list[Said]:
    said = [Said() for _ in range(count)]
    async with aclosing(choices):
        async for choice, event in choices:
            match event:
                case Piece(text):
                    said[choice].text.append(text)
                case Called(call):
                    said[choice].calls.append(call)
                case Finished():
                    said[choice].finished = event
    return said


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


async def _lines(
    first: tuple[int, Event], rest: Choices, writer: ChunkWriter, *, wants_usage: bool
) -> AsyncIterator[str]:
    """Server-sent events; an error after the first piece is an event too."""
    finished: list[Finished] = []
    opened: set[int] = set()
    try:
        async with aclosing(rest):
            async for choice, event in _chained(first, rest):
                if choice not in opened:
                    opened.add(choice)
                    yield _line(writer.delta(choice, {"role": "assistant", "content": ""}))
                for chunk in _chunks(writer, choice, event):
                    yield _line(chunk)
                finished += [event] if isinstance(event, Finished) else []
    except AicoError as error:
        yield _line(error_json(error))
        return
    if wants_usage:
        yield _line(writer.usage(finished))
    yield "data: [DONE]\n\n"


async def _chained(first: tuple[int, Event], rest: Choices) -> Choices:
    yield first
    async for item in rest:
        yield item


def _chunks(writer: ChunkWriter, choice: int, event: Event) -> list[dict[str, Any]]:
    match event:
        case Piece(text):
            return [writer.delta(choice, {"content": text})]
        case Called(call):
            return writer.call(choice, call)
        case Finished(reason):
            return [writer.delta(choice, {}, reason.value)]


def _line(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def _render(_request: Request, error: Exception) -> Response:
    shown = cast("AicoError", error)  # Starlette calls a handler only with the class it was registered for
    headers = {"Retry-After": str(shown.retry_after)} if shown.retry_after else None
    return JSONResponse(error_json(shown), status_code=shown.status, headers=headers)


async def _render_validation(request: Request, error: Exception) -> Response:
    first = cast("RequestValidationError", error).errors()[0]
    field = ".".join(str(step) for step in first["loc"] if step != "body")
    message = f"{field}: {first['msg']}" if field else first["msg"]
    return await _render(request, InvalidInput(message, param=field or None))
