"""Batches as OpenAI's file format has them: one request a line in, one response a line out. No I/O."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aico.mcp_server.views import BatchResult

ENDPOINT = "/v1/chat/completions"


class BatchMessage(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1)]


class BatchItem(BaseModel):
    """One request of a batch: either `prompt` (with an optional `system`) or `messages`."""

    model_config = ConfigDict(extra="forbid")

    custom_id: Annotated[str, Field(min_length=1, max_length=512, description="By which its result is found.")]
    prompt: Annotated[str | None, Field(min_length=1)] = None
    messages: Annotated[list[BatchMessage] | None, Field(min_length=1)] = None
    system: str | None = None
    model: str | None = None
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None

    @model_validator(mode="after")
    def _one_conversation(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either `prompt` or `messages`")
        if self.messages is not None and self.system is not None:
            raise ValueError("`system` goes with `prompt`; put a system message into `messages` instead")
        return self


def input_lines(requests: Sequence[str | BatchItem], defaults: Mapping[str, Any]) -> str:
    """The input file. Plain prompts are numbered from 1; `defaults` are for what an item does not say.

    Raises ValueError where a custom id stands there twice.
    """
    digits = len(str(len(requests)))
    items = [
        request if isinstance(request, BatchItem) else BatchItem(custom_id=f"prompt-{number:0{digits}}", prompt=request)
        for number, request in enumerate(requests, 1)
    ]
    seen: set[str] = set()
    for item in items:
        if item.custom_id in seen:
            raise ValueError(f"the custom_id {item.custom_id!r} stands there twice")
        seen.add(item.custom_id)
    return "".join(json.dumps(_line(item, defaults), ensure_ascii=True) + "\n" for item in items)


def _line(item: BatchItem, defaults: Mapping[str, Any]) -> dict[str, Any]:
    own = item.model_dump(include={"model", "max_tokens", "temperature"}, exclude_none=True)
    given = {name: value for name, value in defaults.items() if name != "system"}
    body = {**given, **own, "messages": _messages(item, defaults.get("system"))}
    return {"custom_id": item.custom_id, "method": "POST", "url": ENDPOINT, "body": body}


def _messages(item: BatchItem, system: str | None) -> list[dict[str, str]]:
    if item.messages is not None:
        return [message.model_dump() for message in item.messages]
    instructions = item.system or system
    turns = [{"role": "system", "content": instructions}] if instructions else []
    return [*turns, {"role": "user", "content": item.prompt or ""}]


def results(files: Iterable[str]) -> list[BatchResult]:
    """From the text of the output file and of the error file, in the order of custom ids."""
    found = (_result(line) for text in files for line in _lines(text))
    return sorted(found, key=lambda result: result.custom_id)


def _lines(text: str) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in text.split("\n") if line.strip())


def _result(line: Mapping[str, Any]) -> BatchResult:
    body = (line.get("response") or {}).get("body") or {}
    error = line.get("error") or body.get("error")
    if error:
        said = f"{error['code']}: {error['message']}" if error.get("code") else str(error["message"])
        return BatchResult(custom_id=line["custom_id"], error=said)
    choice, usage = body["choices"][0], body.get("usage") or {}
    return BatchResult(
        custom_id=line["custom_id"],
        text=choice["message"].get("content") or "",
        model=body.get("model"),
        finish_reason=choice.get("finish_reason"),
        input_tokens=usage.get("prompt_tokens"),
        output_tokens=usage.get("completion_tokens"),
    )
