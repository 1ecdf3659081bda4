"""Breakpoints at which Anthropic keeps a prompt: everything before one is written once and then read at a discount.

A request may have four of them. Two are all that is ever set here.
"""

from typing import Any

from aico.routing.providers.wire import CacheHint

_MARK = {"cache_control": {"type": "ephemeral"}}  # for five minutes from the last use


def mark(body: dict[str, Any], caching: CacheHint) -> None:
    """Set the breakpoints in a request that is being built. Nothing else of it changes, nor what the model reads.

    Tools come before the system's words, and both before what was said: a mark on the last of them covers the rest.
    """
    if caching.head:
        if body["system"]:
            body["system"] = [{"type": "text", "text": body["system"], **_MARK}]
        elif body.get("tools"):
            body["tools"] = [*body["tools"][:-1], {**body["tools"][-1], **_MARK}]
    if caching.conversation:
        *before, last = body["messages"]
        body["messages"] = [*before, {**last, "content": _marked(last["content"])}]


def _marked(content: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    if not content:
        return content  # an empty block cannot be marked
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [*blocks[:-1], {**blocks[-1], **_MARK}]
