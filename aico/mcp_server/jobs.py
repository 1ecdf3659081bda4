"""Jobs over the HTTP API: submit, read, wait, cancel."""

import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from mcp.server.mcpserver.exceptions import ToolError

from aico.mcp_server.api import Api, Json, Refused
from aico.mcp_server.views import Answered, answered, ended, failure, progress

Report = Callable[[float, float | None, str], Awaitable[None]]  # how far, of how much, and a few words

_POLL_SECONDS = 5.0  # the longest silence between two reports


async def submit(api: Api, request: Mapping[str, Any]) -> Json:
    """The job. One job however often the call has to be sent: its own Idempotency-Key stands for it."""
    headers = {"Idempotency-Key": f'"{uuid4()}"'}
    return await api.json("POST", "/v1/jobs", json=dict(request), headers=headers)


async def read(api: Api, job_id: str, *, wait_seconds: float = 0) -> Json:
    return await api.json("GET", f"/v1/jobs/{job_id}", params={"wait": wait_seconds})


async def wait(api: Api, job: Json, seconds: float, report: Report) -> Json:
    """The job once it has ended, or as it is when the time is up. Reports the seconds that have gone by."""
    start = time.monotonic()
    while not ended(job):
        gone = time.monotonic() - start
        await report(gone, None, f"job {job['id']}: {progress(job)}")
        if gone >= seconds:
            break
        job = await read(api, job["id"], wait_seconds=min(_POLL_SECONDS, seconds - gone))
    return job


async def cancel(api: Api, job_id: str) -> Json:
    """The cancelled job, or the job as it had ended before."""
    try:
        return await api.json("POST", f"/v1/jobs/{job_id}/cancel")
    except Refused as refusal:
        if refusal.status != HTTPStatus.CONFLICT:
            raise
    return await read(api, job_id)


def answer_of(job: Mapping[str, Any]) -> Answered:
    """Raises ToolError, with what to do, for a job that has no answer."""
    if answered(job):
        return Answered.of(job)
    if not ended(job):
        raise ToolError(
            f"the time is up and job {job['id']} has not ended ({progress(job)}). It goes on:"
            " call wait_for_job with this job_id, or cancel_job."
        )
    raise ToolError(f"job {job['id']} has no answer: {failure(job)}. Ask again, or with another model.")
