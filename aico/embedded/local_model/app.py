import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Any, cast

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse

from aico.core.errors import AicoError, InvalidInput, Unavailable, UnknownModel
from aico.embedded.local_model.engine import Engine, Finished, Piece, Prompt
from aico.embedded.local_model.wire import ChatCompletionRequest, ChunkWriter, completion_json, error_json, model_json

_CLIENT_CLOSED = 499  # nobody is left to read it
_SSE_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

Answer = AsyncGenerator[Piece | Finished, None]


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
    prompt = body.to_prompt()
    completion_id = f"chatcmpl-{uuid.uuid4().hex}"
    if not body.stream:
        return await _whole(engine, prompt, completion_id, request)
    answer = engine.answer(prompt)
    first = await anext(answer)  # a refusal must come before the status line says 200
    writer = ChunkWriter(completion_id, engine.model_id, wants_usage=body.wants_usage)
    lines = _lines(first, answer, writer, wants_usage=body.wants_usage)
    return StreamingResponse(lines, media_type="text/event-stream", headers=_SSE_HEADERS)


async def _whole(engine: Engine, prompt: Prompt, completion_id: str, request: Request) -> Response:
    """The whole answer; a caller who hangs up ends the work."""
    answering = asyncio.create_task(_collect(engine, prompt))
    leaving = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            return Response(status_code=_CLIENT_CLOSED)
        text, finished = answering.result()
    finally:
        answering.cancel()
        leaving.cancel()
    return JSONResponse(completion_json(completion_id, engine.model_id, text, finished))


async def _collect(engine: Engine, prompt: Prompt) -> tuple[str, Finished]:
    pieces: list[str] = []
    async with aclosing(engine.answer(prompt)) as answer:
        async for event in answer:
            if isinstance(event, Finished):
                return "".join(pieces), event
            pieces.append(event.text)
    raise Unavailable("the answer broke off")


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


async def _lines(
    first: Piece | Finished, answer: Answer, writer: ChunkWriter, *, wants_usage: bool
) -> AsyncIterator[str]:
    """Server-sent events; an error after the first piece is an event too."""
    yield _line(writer.delta({"role": "assistant", "content": ""}))
    event: Piece | Finished = first
    try:
        async with aclosing(answer):
            while isinstance(event, Piece):
                yield _line(writer.delta({"content": event.text}))
                event = await anext(answer)
    except AicoError as error:
        yield _line(error_json(error))
        return
    yield _line(writer.delta({}, event.reason.value))
    if wants_usage:
        yield _line(writer.usage(event))
    yield "data: [DONE]\n\n"


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
