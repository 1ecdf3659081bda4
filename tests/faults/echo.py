"""A provider that repeats what it is asked, under a number that no two answers share."""

import json
from dataclasses import dataclass, field
from typing import Any

from faults.local_server import Connection, Request, response

MODEL = "echo"
REFUSED = "REFUSE"  # whoever asks for it gets no answer

_HEAD = b"HTTP/1.1 200 -\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
_REFUSAL = b'{"error": {"message": "not this", "type": "invalid_request_error", "code": "content_policy"}}'
_USAGE = {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28}


@dataclass
class Echo:
    """Written to by its server's thread alone."""

    prompts: list[str] = field(default_factory=list)  # by the number of the answer

    async def handle(self, request: Request, connection: Connection) -> None:
        body = json.loads(request.body)
        prompt = str(body["messages"][-1]["content"])
        if prompt.startswith(REFUSED):
            await connection.send(response(400, _REFUSAL))
            return
        text = f"Answer {len(self.prompts)} to: {prompt}"
        self.prompts.append(prompt)
        if body.get("stream"):
            await self._say(text, connection)
        else:
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            await connection.send(response(200, json.dumps(_object(choice, "chat.completion", usage=_USAGE)).encode()))

    async def _say(self, text: str, connection: Connection) -> None:
        await connection.send(_HEAD)
        for word in text.split(" "):
            piece = {"index": 0, "delta": {"content": word if word == "Answer" else f" {word}"}}
            await connection.send(_event(_object(piece, "chat.completion.chunk")))
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        await connection.send(_event(_object(last, "chat.completion.chunk", usage=_USAGE)) + b"data: [DONE]\n\n")
        connection.writer.close()


def _object(choice: dict[str, Any], name: str, **rest: Any) -> dict[str, Any]:
    return {"id": "x", "object": name, "created": 1, "model": MODEL, "choices": [choice], **rest}


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"
