"""Batches over the HTTP API, which has the formats of OpenAI's: a file of requests in, files of results out."""

import asyncio
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from mcp.server.mcpserver.exceptions import ToolError

from aico.mcp_server.api import Api, Json, Refused
from aico.mcp_server.batch_files import ENDPOINT, results
from aico.mcp_server.jobs import Report
from aico.mcp_server.views import BatchResults

_ENDED = {"completed", "failed", "expired", "cancelled"}
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 10.0  # small batches are short


async def create(api: Api, lines: str, completion_window: str) -> Json:
    """The batch of these lines. One batch: it is not sent twice where the first may have arrived."""
    file = {"file": ("requests.jsonl", lines.encode(), "application/jsonl")}
    uploaded = await api.json("POST", "/v1/files", files=file, data={"purpose": "batch"})
    request = {"input_file_id": uploaded["id"], "endpoint": ENDPOINT, "completion_window": completion_window}
    headers = {"Idempotency-Key": f'"{uuid4()}"'}
    return await api.json("POST", "/v1/batches", repeatable=False, json=request, headers=headers)


async def read(api: Api, batch_id: str) -> Json:
    return await api.json("GET", f"/v1/batches/{batch_id}")


async def wait(api: Api, batch: Json, report: Report) -> Json:
    """The batch once it has ended. Reports how many of its lines have."""
    pause = _FIRST_PAUSE_SECONDS
    while not ended(batch):
        counts = batch["request_counts"]
        await report(counts["completed"] + counts["failed"], counts["total"] or None, progress(batch))
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        batch = await read(api, batch["id"])
    return batch


async def cancel(api: Api, batch_id: str) -> None:
    """Cancelling what has ended changes nothing."""
    try:
        await api.call("POST", f"/v1/batches/{batch_id}/cancel")
    except Refused as refusal:
        if refusal.status not in {HTTPStatus.CONFLICT, HTTPStatus.BAD_REQUEST}:
            raise


async def results_of(api: Api, batch: Json) -> BatchResults:
    """Of a batch that has ended; of an expired or cancelled one, what there is. Raises ToolError if it was refused."""
    if batch["status"] == "failed":
        raise ToolError(f"batch {batch['id']} was refused: {_faults(batch)}. Correct the requests and call again.")
    counts = batch["request_counts"]
    named = [batch[name] for name in ("output_file_id", "error_file_id") if batch.get(name)]
    files = [(await api.call("GET", f"/v1/files/{name}/content")).text for name in named]
    return BatchResults(
        batch_id=batch["id"],
        status=batch["status"],
        total=counts["total"],
        answered=counts["completed"],
        failed=counts["failed"],
        results=results(files),
    )


def ended(batch: Json) -> bool:
    return batch["status"] in _ENDED


def progress(batch: Json) -> str:
    """A few words on where the batch is."""
    counts = batch["request_counts"]
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    return f"batch {batch['id']}: {batch['status']}, {counts['completed']} of {counts['total']} answered{failed}"


def _faults(batch: Json) -> str:
    faults: list[dict[str, Any]] = (batch.get("errors") or {}).get("data") or []
    told = (f"line {fault['line']}: {fault['message']}" if fault.get("line") else fault["message"] for fault in faults)
    return "; ".join(told) or "no reason was given"
