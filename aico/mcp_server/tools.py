"""The tools. Their docstrings are what an assistant reads to choose one."""

from typing import Any, Literal

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from aico.core.chat import AUTO_MODEL
from aico.core.jobs import JobClass
from aico.mcp_server import arguments as args
from aico.mcp_server import batches, jobs, views
from aico.mcp_server.api import Access, Api, Json
from aico.mcp_server.batch_files import input_lines
from aico.mcp_server.task_ids import TaskRef, TaskTool
from aico.mcp_server.tasks import become_task
from aico.mcp_server.views import Answered, BatchResults, CostSummary, Feedback, JobState

_WAIT_SECONDS = 600.0

Call = Context[Any, Any]


class Tools:
    """Each tool is some calls of the HTTP API, as whoever called the tool."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def add_to(self, server: MCPServer[Any]) -> None:
        """Annotations: what only reads, what can be repeated, what destroys, what reaches models outside."""
        asks = ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
        )
        reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
        sets = ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        )
        ends = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
        for tool, title, hints in (
            (self.ask, "Ask", asks),
            (self.submit, "Submit a job", asks),
            (self.wait_for_job, "Wait for a job", reads),
            (self.get_job, "Read a job", reads),
            (self.cancel_job, "Cancel a job", ends),
            (self.run_batch, "Run a batch", asks),
            (self.cost_summary, "Costs and savings", reads),
            (self.give_feedback, "Judge an answer", sets),
        ):
            server.tool(title=title, annotations=hints)(tool)

    async def ask(
        self,
        *,
        prompt: args.Prompt,
        ctx: Call,
        system: args.System = "",
        model: args.Model = AUTO_MODEL,
        max_tokens: args.MaxTokens = None,
        temperature: args.Temperature = None,
        response_format: args.Format = "text",
        cache: args.Cache = None,
        quality_floor: args.QualityFloor = None,
        max_cost_cents: args.MaxCost = None,
        strategy: args.Strategy = None,
        metadata: args.Labels = None,
    ) -> Answered:
        """Have a prompt answered from the cache or by the cheapest model that is good enough, and say what it cost.

        Waits for the answer. The work goes on if the call is broken off: progress messages name the job.
        """
        api = self._api(ctx)
        request = args.given(
            prompt=prompt,
            system=system,
            model=model,
            max_tokens=max_tokens,
            temperature=temperature,
            response_format=response_format,
            cache=cache,
            quality_floor=quality_floor,
            max_cost_cents=max_cost_cents,
            strategy=strategy,
            metadata=metadata,
        )
        job = await jobs.submit(api, request)
        return jobs.answer_of(await _followed(ctx, api, TaskTool.ASK, job, _WAIT_SECONDS))

    async def submit(
        self,
        *,
        prompt: args.Prompt,
        ctx: Call,
        system: args.System = "",
        model: args.Model = AUTO_MODEL,
        max_tokens: args.MaxTokens = None,
        temperature: args.Temperature = None,
        response_format: args.Format = "text",
        cache: args.Cache = None,
        quality_floor: args.QualityFloor = None,
        max_cost_cents: args.MaxCost = None,
        strategy: args.Strategy = None,
        metadata: args.Labels = None,
        job_class: JobClass = JobClass.STANDARD,
        completion_window: args.Window = "",
    ) -> JobState:
        """Store a prompt as a job and return at once. Read its answer later with get_job or wait_for_job.

        Class interactive goes first; batch can wait a day and is cheapest.
        """
        request = args.given(
            prompt=prompt,
            system=system,
            model=model,
            max_tokens=max_tokens,
            temperature=temperature,
            response_format=response_format,
            cache=cache,
            quality_floor=quality_floor,
            max_cost_cents=max_cost_cents,
            strategy=strategy,
            metadata=metadata,
            completion_window=completion_window,
        )
        return JobState.of(await jobs.submit(self._api(ctx), {**request, "class": job_class}))

    async def wait_for_job(self, job_id: args.JobId, ctx: Call, timeout_seconds: args.Timeout = 60) -> JobState:
        """Wait for a job to end and read it. If the time is up first, `ended` is false and the job goes on."""
        api = self._api(ctx)
        job = await jobs.read(api, str(job_id))
        return JobState.of(await _followed(ctx, api, TaskTool.WAIT_FOR_JOB, job, timeout_seconds))

    async def get_job(self, job_id: args.JobId, ctx: Call) -> JobState:
        """Read a job as it is now: where it is, its answer, what it cost, or why it failed."""
        return JobState.of(await jobs.read(self._api(ctx), str(job_id)))

    async def cancel_job(self, job_id: args.JobId, ctx: Call) -> JobState:
        """End a job wherever it is. One that has ended already stays as it is: `status` says how."""
        return JobState.of(await jobs.cancel(self._api(ctx), str(job_id)))

    async def run_batch(
        self,
        requests: args.Requests,
        ctx: Call,
        system: args.System = "",
        model: args.Model = AUTO_MODEL,
        max_tokens: args.MaxTokens = None,
        completion_window: args.BatchWindow = "24h",
    ) -> BatchResults:
        """Have many prompts answered, at a discount where they can wait, and return every answer.

        System, model and max_tokens are for requests that do not say their own.
        """
        api = self._api(ctx)
        try:
            lines = input_lines(requests, args.given(system=system, model=model, max_tokens=max_tokens))
        except ValueError as error:
            raise ToolError(str(error)) from error
        batch = await batches.create(api, lines, completion_window)
        if not batches.ended(batch):
            become_task(ctx, TaskRef(TaskTool.RUN_BATCH, batch["id"]), batch)
            batch = await batches.wait(api, batch, Progress(ctx).report)
        return await batches.results_of(api, batch)

    async def cost_summary(self, ctx: Call, days: args.Days = 30) -> CostSummary:
        """What was spent in the last days, what the baseline model would have cost, and what was saved."""
        return CostSummary.model_validate(await self._api(ctx).json("GET", "/costs/summary", params={"days": days}))

    async def give_feedback(
        self,
        job_id: args.JobId,
        ctx: Call,
        thumb: Literal["up", "down"] | None = None,
        score: args.Score = None,
        comment: args.Comment = "",
    ) -> Feedback:
        """Say how good a job's answer was, with a thumb or a score. A later judgement replaces an earlier one."""
        said = args.given(job_id=str(job_id), thumb=thumb, score=score, comment=comment)
        return Feedback.model_validate(await self._api(ctx).json("POST", "/v1/feedback", json=said))

    def _api(self, ctx: Call) -> Api:
        return self._access.api(ctx.headers)


class Progress:
    """Tells the caller how far it is, where the caller wants to know. What is told has to grow each time."""

    def __init__(self, ctx: Call) -> None:
        self._ctx = ctx
        self._told = -1.0

    async def report(self, done: float, total: float | None, words: str) -> None:
        if done > self._told:
            self._told = done
            await self._ctx.report_progress(done, total, words)


async def _followed(ctx: Call, api: Api, tool: TaskTool, job: Json, seconds: float) -> Json:
    """The job once it has ended or the time is up; for a client that takes tasks, a task instead."""
    if views.ended(job):
        return job
    become_task(ctx, TaskRef(tool, job["id"]), job)
    return await jobs.wait(api, job, seconds, Progress(ctx).report)
