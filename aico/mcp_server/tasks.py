"""The tasks extension: a call that takes long becomes a task, which any server process can tell about.

Nothing is kept here. A task is a job or a batch, which the database keeps, and its id names it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NoReturn

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    RequestParams,
    TextContent,
)
from pydantic import BaseModel
from typing_extensions import override

from aico.mcp_server import batches, jobs, views
from aico.mcp_server.api import Access, Api, Json, Refused
from aico.mcp_server.task_ids import TaskRef, TaskTool, read_task_id

EXTENSION = "io.modelcontextprotocol/tasks"
VERSIONS = frozenset({"2026-07-28"})

_TTL_MS = 24 * 3600 * 1000  # the API keeps what has ended at least that long
_POLL_MS = {TaskTool.ASK: 1000, TaskTool.WAIT_FOR_JOB: 1000, TaskTool.RUN_BATCH: 5000}

Requested = ServerRequestContext[Any, Any]


class TaskParams(RequestParams):
    task_id: str


class BecameTask(MCPError):
    """Carries the task out of the tool that started it; the only way past the conversion of its results."""

    def __init__(self, task: Mapping[str, Any]) -> None:
        super().__init__(INTERNAL_ERROR, "this call has become a task")
        self.task = task


def become_task(ctx: Context[Any, Any], ref: TaskRef, behind: Json) -> None:
    """Raises BecameTask for a client that takes tasks, and does nothing for any other. `behind` has not ended yet."""
    capabilities = ctx.client_capabilities
    declared = (capabilities.extensions if capabilities else None) or {}
    if ctx.protocol_version in VERSIONS and EXTENSION in declared:
        raise BecameTask({"resultType": "task", **_task(ref, behind, "working", _words(ref, behind))})


class Tasks(Extension):
    identifier = EXTENSION

    def __init__(self, access: Access) -> None:
        self._access = access

    @override
    def methods(self) -> Sequence[MethodBinding]:
        handlers = {"tasks/get": self._get, "tasks/cancel": self._cancel, "tasks/update": self._update}
        return [MethodBinding(name, TaskParams, handler, VERSIONS) for name, handler in handlers.items()]

    @override
    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Requested, call_next: CallNext
    ) -> HandlerResult:
        try:
            return await call_next(ctx)
        except BecameTask as became:
            return dict(became.task)

    async def _get(self, ctx: Requested, params: TaskParams) -> HandlerResult:
        api, ref = self._read(ctx, params)
        behind = await _behind(api, ref)
        status = _status(ref, behind)
        task = _task(ref, behind, status, _words(ref, behind))
        return {**task, "result": await _outcome(api, ref, behind)} if status == "completed" else task

    async def _cancel(self, ctx: Requested, params: TaskParams) -> HandlerResult:
        api, ref = self._read(ctx, params)
        try:
            await (batches.cancel(api, ref.id) if ref.tool is TaskTool.RUN_BATCH else jobs.cancel(api, ref.id))
        except Refused as refusal:
            _protocol_error(ref, refusal)
        return {}

    async def _update(self, ctx: Requested, params: TaskParams) -> HandlerResult:
        """No task here ever asks for input, so there is nothing to take; but the task has to exist."""
        await _behind(*self._read(ctx, params))
        return {}

    def _read(self, ctx: Requested, params: TaskParams) -> tuple[Api, TaskRef]:
        ref = read_task_id(params.task_id)
        if ref is None:
            raise MCPError(INVALID_PARAMS, f"there is no task {params.task_id!r}")
        return self._access.api(getattr(ctx.request, "headers", None)), ref


async def _behind(api: Api, ref: TaskRef) -> Json:
    try:
        return await (batches.read(api, ref.id) if ref.tool is TaskTool.RUN_BATCH else jobs.read(api, ref.id))
    except Refused as refusal:
        _protocol_error(ref, refusal)


def _protocol_error(ref: TaskRef, refusal: Refused) -> NoReturn:
    if refusal.status == HTTPStatus.NOT_FOUND:
        raise MCPError(INVALID_PARAMS, f"there is no task {str(ref)!r}") from refusal
    raise MCPError(INTERNAL_ERROR, str(refusal)) from refusal


def _status(ref: TaskRef, behind: Json) -> str:
    """A task fails only when its protocol does: a job without an answer completes with a result that says so."""
    ended = batches.ended(behind) if ref.tool is TaskTool.RUN_BATCH else views.ended(behind)
    if not ended:
        return "working"
    return "cancelled" if behind["status"] == "cancelled" else "completed"


def _words(ref: TaskRef, behind: Json) -> str:
    return batches.progress(behind) if ref.tool is TaskTool.RUN_BATCH else views.progress(behind)


def _task(ref: TaskRef, behind: Json, status: str, words: str) -> dict[str, Any]:
    created = _moment(behind["created_at"])
    return {
        "taskId": str(ref),
        "status": status,
        "statusMessage": words,
        "createdAt": created,
        "lastUpdatedAt": _moment(_last(behind)) if status != "working" else created,
        "ttlMs": _TTL_MS,
        "pollIntervalMs": _POLL_MS[ref.tool],
    }


def _last(behind: Json) -> str | int:
    """When it ended: a job's ISO 8601 time, or a batch's Unix seconds under a name for each way to end."""
    ends = ("finished_at", "completed_at", "failed_at", "expired_at", "cancelled_at")
    found: str | int = next((behind[name] for name in ends if behind.get(name)), behind["created_at"])
    return found


def _moment(value: str | int) -> str:
    return value if isinstance(value, str) else datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z")


async def _outcome(api: Api, ref: TaskRef, behind: Json) -> dict[str, Any]:
    """What the tool would have returned."""
    try:
        result = _told(await _tool_result(api, ref, behind))
    except ToolError as error:
        result = CallToolResult(content=[TextContent(text=str(error))], is_error=True)
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def _tool_result(api: Api, ref: TaskRef, behind: Json) -> BaseModel:
    if ref.tool is TaskTool.RUN_BATCH:
        return await batches.results_of(api, behind)
    return jobs.answer_of(behind) if ref.tool is TaskTool.ASK else views.JobState.of(behind)


def _told(model: BaseModel) -> CallToolResult:
    structured = model.model_dump(mode="json", by_alias=True)
    return CallToolResult(content=[TextContent(text=model.model_dump_json(indent=2))], structured_content=structured)
