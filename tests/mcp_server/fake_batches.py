"""A stand-in for the files and batches of the API, in OpenAI's formats: it answers each prompt with itself in capitals.

Simulated. To let the tests speak to the real routes, replace `BatchApi.app` by the API and `BatchApi.step` by workers.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

ENDED = {"completed", "failed", "expired", "cancelled"}


@dataclass
class BatchApi:
    """Each reading of a batch ends some more of its lines. `failing` prompts get no answer."""

    failing: set[str] = field(default_factory=set)
    refuses: str | None = None  # why every batch is refused
    per_reading: int = 1
    files: dict[str, str] = field(default_factory=dict)
    purposes: list[str] = field(default_factory=list)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: list[str | None] = field(default_factory=list)
    drops: int = 0  # batches whose creation is not confirmed
    cancels: int = 0

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Of the first batch."""
        batch = next(iter(self.batches.values()))
        return [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/files")
        async def upload(request: Request) -> dict[str, Any]:
            async with request.form() as form:
                file = form["file"]
                assert not isinstance(file, str)
                self.purposes.append(str(form["purpose"]))
                return {"id": self._keep((await file.read()).decode()), "object": "file"}

        @app.get("/v1/files/{file_id}/content")
        async def content(file_id: str) -> Response:
            return PlainTextResponse(self.files[file_id])

        @app.post("/v1/batches")
        async def create(request: Request) -> Response:
            self.keys.append(request.headers.get("idempotency-key"))
            batch = self._batch(await request.json())
            if self.drops:
                self.drops -= 1
                return JSONResponse({"error": {"message": "bad gateway", "code": None}}, 502)
            return JSONResponse(batch)

        @app.get("/v1/batches/{batch_id}")
        async def read(batch_id: str) -> Response:
            if batch_id not in self.batches:
                message = f"No such batch: {batch_id}"
                return JSONResponse({"error": {"message": message, "type": "invalid_request_error", "code": None}}, 404)
            return JSONResponse(self.step(self.batches[batch_id]))

        @app.post("/v1/batches/{batch_id}/cancel")
        async def cancel(batch_id: str) -> Response:
            batch = self.batches[batch_id]
            if batch["status"] in ENDED:
                return JSONResponse({"error": {"message": "it has ended", "code": None}}, 409)
            self.cancels += 1
            batch.update(status="cancelled", cancelled_at=1_800_000_100)
            return JSONResponse(batch)

        return app

    def step(self, batch: dict[str, Any]) -> dict[str, Any]:
        if batch["status"] in ENDED:
            return batch
        counts, lines = batch["request_counts"], self.files[batch["input_file_id"]].splitlines()
        ended = counts["completed"] + counts["failed"]
        for line in map(json.loads, lines[ended : ended + self.per_reading]):
            self._end(batch, line["custom_id"], line["body"]["messages"][-1]["content"])
        done = counts["completed"] + counts["failed"] == counts["total"]
        batch["status"] = "completed" if done else "in_progress"
        return batch

    def _batch(self, request: dict[str, Any]) -> dict[str, Any]:
        total = len(self.files[request["input_file_id"]].splitlines())
        batch: dict[str, Any] = {
            **request,
            "id": f"batch_{len(self.batches)}",
            "object": "batch",
            "status": "validating",
            "created_at": 1_800_000_000,
            "request_counts": {"total": total, "completed": 0, "failed": 0},
        }
        if self.refuses is not None:
            fault = {"code": "invalid", "message": self.refuses, "param": None, "line": 1}
            batch.update(status="failed", errors={"object": "list", "data": [fault]})
        self.batches[batch["id"]] = batch
        return batch

    def _end(self, batch: dict[str, Any], custom_id: str, prompt: str) -> None:
        """Newest first, as nothing is said about the order."""
        if prompt in self.failing:
            kind, count = "error_file_id", "failed"
            body: dict[str, Any] = {"error": {"message": f"nobody answers {prompt}", "code": "no_answer"}}
            response = {"status_code": 503, "request_id": "r", "body": body}
        else:
            kind, count = "output_file_id", "completed"
            message = {"role": "assistant", "content": prompt.upper()}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
            response = {
                "status_code": 200,
                "request_id": "r",
                "body": {"model": "small", "choices": [choice], "usage": usage},
            }
        line = json.dumps({"id": "b", "custom_id": custom_id, "response": response, "error": None}) + "\n"
        if kind not in batch:
            batch[kind] = self._keep("")
        self.files[batch[kind]] = line + self.files[batch[kind]]
        batch["request_counts"][count] += 1

    def _keep(self, text: str) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = text
        return name
