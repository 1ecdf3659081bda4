"""The three providers' batch APIs as far as a client sees them, on top of `BatchServer`."""

import json
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import MIMEPart
from email.policy import HTTP
from typing import Any

from routing.batch_servers import BatchServer, Call, RemoteBatch, Reply, jsonl, ok

KEY = "house-credential-1234"
LINE_ERRORS = {"refused": (400, "invalid_request_error"), "overloaded": (529, "overloaded_error")}


def _content_of(part: MIMEPart) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def refusal(status: int, kind: str, message: str) -> Reply:
    return Reply(status, json.dumps({"error": {"type": kind, "message": message}}).encode())


@dataclass
class OpenAIServer(BatchServer):
    files: dict[str, bytes] = field(default_factory=dict)

    def route(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {KEY}":
            return refusal(401, "authentication_error", "who are you?")
        return self._served(call)

    def _served(self, call: Call) -> Reply:
        match call.method, call.path.strip("/").split("/"):
            case "POST", ["files"]:
                return self._upload(call)
            case "GET", ["files", name, "content"]:
                return self._content(name)
            case "POST", ["batches"]:
                return ok(self._shown(self._created(call)))
            case "GET", ["batches"]:
                return self._listed(call)
            case verb, ["batches", name, *rest] if name in self.batches:
                self.calls["cancel" if rest else "poll"] += 1
                self.batches[name].cancelled |= verb == "POST" and rest == ["cancel"]
                return ok(self._shown(self.batches[name]))
        return refusal(404, "not_found_error", f"no {call.path}")

    def _upload(self, call: Call) -> Reply:
        self.calls["upload"] += 1
        head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
        form = message_from_bytes(head + call.body, policy=HTTP)
        parts = {part.get_param("name", header="content-disposition"): _content_of(part) for part in form.iter_parts()}
        if parts["purpose"] != b"batch":
            return refusal(400, "invalid_request_error", "purpose must be batch")
        name = f"file-{len(self.files)}"
        self.files[name] = parts["file"]
        return ok({"id": name, "object": "file", "bytes": len(parts["file"]), "purpose": "batch"})

    def _created(self, call: Call) -> RemoteBatch:
        self.calls["create"] += 1
        order = call.json
        lines = [json.loads(line) for line in self.files[order["input_file_id"]].splitlines()]
        bodies = {line["custom_id"]: line["body"] for line in lines}
        return self.add(order["metadata"]["aico_batch"], bodies, f"batch_{len(self.batches)}")

    def _listed(self, call: Call) -> Reply:
        self.calls["find"] += 1
        page, more = self.newest(call, "limit", "after")
        return ok({"object": "list", "data": [self._shown(batch) for batch in page], "has_more": more})

    def _shown(self, batch: RemoteBatch) -> dict[str, Any]:
        status = "in_progress"
        if batch.cancelled:
            status = "cancelled"
        elif self.ended(batch):
            status = "completed" if self.ends_as == "ended" else self.ends_as
        done, failed = self.counts(batch)
        results = status in {"completed", "expired"}
        fault = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached", "line": None}
        return {
            "id": batch.id,
            "object": "batch",
            "status": status,
            "metadata": {"aico_batch": batch.key} if batch.key else None,
            "errors": {"object": "list", "data": [fault]} if status == "failed" else None,
            "output_file_id": f"{batch.id}.out" if results and done else None,
            "error_file_id": f"{batch.id}.err" if results and failed else None,
            "request_counts": {"total": len(batch.lines), "completed": done, "failed": failed},
        }

    def _content(self, name: str) -> Reply:
        self.calls["results"] += 1
        batch = self.batches[name[:-4]]
        answered = name.endswith(".out")
        faults = {line: self.fault_of(batch, line) for line in batch.lines}
        lines = [self._line(batch, line) for line, fault in faults.items() if (fault is None) is answered]
        return jsonl([line for line in lines if line is not None])

    def _line(self, batch: RemoteBatch, name: str) -> object:
        body, fault = batch.lines[name], self.fault_of(batch, name)
        shown: dict[str, Any] = {"id": f"batch_req_{name}", "custom_id": name, "response": None, "error": None}
        if fault == "missing":
            return None
        if fault in LINE_ERRORS:
            status, kind = LINE_ERRORS[fault]
            error = {"error": {"type": kind, "message": f"{KEY} is {fault}"}}
            return {**shown, "response": {"status_code": status, "request_id": "r", "body": error}}
        if fault == "garbled":
            return {**shown, "response": {"status_code": 200, "request_id": "r", "body": "half of an ans"}}
        if fault is not None:
            return {**shown, "error": {"code": f"batch_{fault}", "message": "not executed in time"}}
        answer = {
            "model": f"{body['model']}-2026",
            "choices": [
                {"message": {"content": self.answer(body["messages"][-1]["content"])}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3},
            "service_tier": "default",
        }
        return {**shown, "response": {"status_code": 200, "request_id": "r", "body": answer}}


@dataclass
class AnthropicServer(BatchServer):
    results_url: str | None = None  # where the results are said to lie; None: where they do

    def route(self, call: Call) -> Reply:
        if call.headers.get("x-api-key") != KEY or "anthropic-version" not in call.headers:
            return refusal(401, "authentication_error", "who are you?")
        match call.method, call.path.removeprefix("/messages/batches").strip("/").split("/"):
            case "POST", [""]:
                self.calls["create"] += 1
                lines = {line["custom_id"]: line["params"] for line in call.json["requests"]}
                return ok(self._shown(self.add(None, lines, f"msgbatch_{len(self.batches)}")))
            case "GET", [name] if name in self.batches:
                self.calls["poll"] += 1
                return ok(self._shown(self.batches[name]))
            case "POST", [name, "cancel"] if name in self.batches:
                self.calls["cancel"] += 1
                self.batches[name].cancelled = True
                return ok(self._shown(self.batches[name]))
            case "GET", [name, "results"] if name in self.batches:
                self.calls["results"] += 1
                batch = self.batches[name]
                faults = {line: self.fault_of(batch, line) for line in batch.lines}
                return jsonl([self._line(batch, line) for line, fault in faults.items() if fault != "missing"])
        return refusal(404, "not_found_error", f"no {call.path}")

    def _shown(self, batch: RemoteBatch) -> dict[str, Any]:
        ended = self.ended(batch)
        done, failed = self.counts(batch)
        waiting = 0 if ended else len(batch.lines)
        counts = {"processing": waiting, "succeeded": done, "errored": failed, "canceled": 0, "expired": 0}
        own = f"{self.url}/messages/batches/{batch.id}/results"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts,
            "cancel_initiated_at": "2026-11-20T12:00:00Z" if batch.cancelled else None,
            "results_url": (self.results_url or own) if ended else None,
        }

    def _line(self, batch: RemoteBatch, name: str) -> object:
        params, fault = batch.lines[name], self.fault_of(batch, name)
        if fault in LINE_ERRORS:
            error = {"type": LINE_ERRORS[fault][1], "message": f"{KEY} is {fault}"}
            return {"custom_id": name, "result": {"type": "errored", "error": {"type": "error", "error": error}}}
        if fault == "garbled":
            return {"custom_id": name, "result": {"type": "succeeded", "message": {"content": "half"}}}
        if fault is not None:
            return {"custom_id": name, "result": {"type": "canceled" if fault == "cancelled" else "expired"}}
        message = {
            "model": f"{params['model']}-2026",
            "content": [{"type": "text", "text": self.answer(params["messages"][-1]["content"])}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 7, "output_tokens": 3, "service_tier": "batch"},
        }
        return {"custom_id": name, "result": {"type": "succeeded", "message": message}}


@dataclass
class GeminiServer(BatchServer):
    base_path: str = "/v1beta"

    def route(self, call: Call) -> Reply:
        if call.headers.get("x-goog-api-key") != KEY:
            return refusal(401, "UNAUTHENTICATED", "who are you?")
        match call.method, call.path.strip("/").split("/"):
            case "POST", ["models", model] if model.endswith(":batchGenerateContent"):
                self.calls["create"] += 1
                batch = call.json["batch"]
                lines = {
                    line["metadata"]["key"]: {**line["request"], "model": model.partition(":")[0]}
                    for line in batch["inputConfig"]["requests"]["requests"]
                }
                return ok(self._shown(self.add(batch["displayName"], lines, f"batches/b{len(self.batches)}")))
            case "GET", ["batches"]:
                self.calls["find"] += 1
                page, more = self.newest(call, "pageSize", "pageToken")
                token = {"nextPageToken": page[-1].id} if more else {}
                return ok({"operations": [self._shown(batch) for batch in page], **token})
            case "GET", ["batches", name] if f"batches/{name}" in self.batches:
                self.calls["poll"] += 1
                return ok(self._shown(self.batches[f"batches/{name}"]))
            case "POST", ["batches", name] if name.endswith(":cancel"):
                self.calls["cancel"] += 1
                self.batches[f"batches/{name.removesuffix(':cancel')}"].cancelled = True
                return ok({})
        return refusal(404, "NOT_FOUND", f"no {call.path}")

    def _shown(self, batch: RemoteBatch) -> dict[str, Any]:
        done, failed = self.counts(batch)
        stats = {"requestCount": len(batch.lines), "successfulRequestCount": done, "failedRequestCount": failed}
        state = "CANCELLED" if batch.cancelled else "RUNNING"
        if state == "RUNNING" and self.ended(batch):
            state = {"ended": "SUCCEEDED", "failed": "FAILED", "expired": "EXPIRED"}[self.ends_as]
        metadata: dict[str, Any] = {
            "name": batch.id,
            "displayName": batch.key,
            "state": f"BATCH_STATE_{state}",
            "batchStats": {name: str(count) for name, count in stats.items()},
        }
        if state == "FAILED":
            return {"name": batch.id, "metadata": metadata, "done": True, "error": {"code": 8, "message": "too much"}}
        if state == "RUNNING":
            return {"name": batch.id, "metadata": metadata}
        faults = {line: self.fault_of(batch, line) for line in batch.lines}
        lines = [self._line(batch, line) for line, fault in faults.items() if fault not in {"missing", "cancelled"}]
        output = {"inlinedResponses": {"inlinedResponses": lines}}
        return {"name": batch.id, "metadata": {**metadata, "output": output}, "done": True, "response": output}

    def _line(self, batch: RemoteBatch, name: str) -> object:
        request, fault = batch.lines[name], self.fault_of(batch, name)
        shown = {"metadata": {"key": name}}
        if fault == "garbled":
            return {**shown, "response": {"candidates": "half"}}
        if fault is not None:
            code = {"refused": 3, "overloaded": 8}.get(fault, 4)
            return {**shown, "error": {"code": code, "message": f"{KEY} is {fault}"}}
        text = self.answer(request["contents"][-1]["parts"][0]["text"])
        answer = {
            "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3},
            "modelVersion": f"{request['model']}-2026",
        }
        return {**shown, "response": answer}
