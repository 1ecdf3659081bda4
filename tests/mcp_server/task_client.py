"""What an assistant adds to the official client to take tasks: it follows each one until it has ended."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mcp.client import ClaimContext, ClientExtension, ResultClaim
from mcp.types import CallToolResult, Request, RequestParams, Result

from aico.mcp_server.tasks import EXTENSION


class TaskParams(RequestParams):
    task_id: str


class Task(Result):
    """As `tools/call` and `tasks/get` tell it."""

    task_id: str
    status: str
    status_message: str
    created_at: str
    last_updated_at: str
    ttl_ms: int
    poll_interval_ms: int
    result: dict[str, Any] | None = None


class StartedTask(Task):
    result_type: Literal["task"] = "task"


class GetTask(Request[TaskParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    params: TaskParams
    name_param = "taskId"


class CancelTask(Request[TaskParams, Literal["tasks/cancel"]]):
    method: Literal["tasks/cancel"] = "tasks/cancel"
    params: TaskParams
    name_param = "taskId"


class UpdateTask(Request[TaskParams, Literal["tasks/update"]]):
    method: Literal["tasks/update"] = "tasks/update"
    params: TaskParams
    name_param = "taskId"


def get(task_id: str) -> GetTask:
    return GetTask(params=TaskParams(task_id=task_id))


def cancel(task_id: str) -> CancelTask:
    return CancelTask(params=TaskParams(task_id=task_id))


def update(task_id: str) -> UpdateTask:
    return UpdateTask(params=TaskParams(task_id=task_id))


async def nothing(_: StartedTask) -> None:
    """For an assistant that only waits."""


@dataclass
class TakesTasks(ClientExtension):
    """Calls `on_start` with each task, then follows it. A task that was cancelled is a result that says so."""

    identifier = EXTENSION

    on_start: Callable[[StartedTask], Awaitable[None]] = nothing
    started: list[StartedTask] = field(default_factory=list)
    seen: list[Task] = field(default_factory=list)

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=StartedTask, resolve=self._follow)]

    async def _follow(self, started: StartedTask, ctx: ClaimContext) -> CallToolResult:
        self.started.append(started)
        await self.on_start(started)
        while True:
            task = await ctx.session.send_request(get(started.task_id), Task)
            self.seen.append(task)
            if task.status == "completed":
                return CallToolResult.model_validate(task.result)
            if task.status != "working":
                return CallToolResult(content=[], is_error=True)
            await asyncio.sleep(task.poll_interval_ms / 1000)
