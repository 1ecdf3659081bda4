"""Server-sent events, as the API writes them."""

import json
from typing import Any

KEEP_ALIVE = b": keep-alive\n\n"  # a comment: clients ignore it, and nothing between closes the connection
DONE = b"data: [DONE]\n\n"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # a proxy that buffers would undo the streaming
MEDIA_TYPE = "text/event-stream"


def event(data: dict[str, Any], *, name: str | None = None, number: int | None = None) -> bytes:
    """One event. JSON text holds no line ends, so its data is one line. `number` is what a client resumes after."""
    head = "" if name is None else f"event: {name}\n"
    head += "" if number is None else f"id: {number}\n"
    return f"{head}data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()
