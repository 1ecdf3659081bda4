"""A file of prompts: its lines, and how they look in OpenAI's batch format."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from aico.cli.client import Json
from aico.core.canonical import canonical_json
from aico.core.errors import InvalidInput
from aico.core.inputs import ControlFields

ENDPOINT = "/v1/chat/completions"
_NOTES = {"id", "relation"}  # fields of a line that are the file's own
_DUE = {"deadline", "completion_window"}  # one excludes the other
_CONTROLS = {field.alias or name for name, field in ControlFields.model_fields.items()}
_QUESTION = {"prompt", "system", "messages"}


@dataclass(frozen=True, slots=True)
class Line:
    """`request` as `POST /v1/jobs` takes it; of a line in OpenAI's batch format the body of a chat completion."""

    id: str
    request: Json
    ready: bool = False  # it is in OpenAI's batch format


def read_lines(path: Path) -> Iterator[Line]:
    """One after another. Raises InvalidInput with the number of the first line that is no request.

    Holds a line, and the ids that it has seen.
    """
    seen: set[str] = set()
    with path.open(encoding="utf-8", errors="strict") as file:
        for number, text in _numbered(path, file):
            line = _line(path, number, text)
            if line.id in seen:
                raise InvalidInput(f"{path}:{number}: the id {line.id!r} stands there twice")
            seen.add(line.id)
            yield line
    if not seen:
        raise InvalidInput(f"{path} holds no requests")


def _numbered(path: Path, file: TextIO) -> Iterator[tuple[int, str]]:
    try:
        for number, text in enumerate(file, 1):
            if text.strip():
                yield number, text
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8") from error


def _line(path: Path, number: int, text: str) -> Line:
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{path}:{number}: not JSON: {error.msg} at column {error.colno}") from error
    ready = isinstance(fields, dict) and "custom_id" in fields
    if not isinstance(fields, dict) or not (ready or {"prompt", "messages"} & fields.keys()):
        raise InvalidInput(f"{path}:{number}: each line is an object with `prompt` or `messages`")
    try:
        canonical_json(fields)
    except ValueError as error:
        raise InvalidInput(f"{path}:{number}: NaN, infinity and half of a surrogate pair cannot be sent") from error
    if ready:
        return _ready(path, number, fields)
    if "messages" in fields and {"prompt", "system"} & fields.keys():
        raise InvalidInput(f"{path}:{number}: give either `messages`, or `prompt` with perhaps a `system`")
    request = {name: value for name, value in fields.items() if name not in _NOTES}
    return Line(str(fields.get("id", number)), request)


def _ready(path: Path, number: int, fields: Json) -> Line:
    custom_id, body = fields["custom_id"], fields.get("body")
    if not isinstance(custom_id, str) or not isinstance(body, dict) or fields.get("method") != "POST":
        raise InvalidInput(
            f"{path}:{number}: a batch's line has a `custom_id`, the `method` POST, a `url` and a `body`"
        )
    if fields.get("url") != ENDPOINT:
        raise InvalidInput(f"{path}:{number}: only lines for {ENDPOINT} can be sent")
    return Line(custom_id, body, ready=True)


def batch_line(line: Line, defaults: Mapping[str, Any]) -> Json:
    """In OpenAI's batch format. `defaults` are controls for lines that do not say their own."""
    body = line.request if line.ready else _body(line.request)
    controls = with_defaults(body.get("aico") or {}, defaults)
    extra = {"aico": controls} if controls else {}
    return {"custom_id": line.id, "method": "POST", "url": ENDPOINT, "body": {**body, **extra}}


def _body(request: Json) -> Json:
    controls = {name: value for name, value in request.items() if name in _CONTROLS}
    rest = {name: value for name, value in request.items() if name not in _CONTROLS | _QUESTION}
    if isinstance(rest.get("response_format"), str):
        rest["response_format"] = {"type": rest["response_format"]}
    return {"model": "auto", **rest, "messages": _messages(request), **({"aico": controls} if controls else {})}


def _messages(request: Json) -> Any:
    if "messages" in request:
        return request["messages"]
    said = [{"role": role, "content": request.get(name)} for role, name in (("system", "system"), ("user", "prompt"))]
    return [message for message in said if message["content"] is not None]


def with_defaults(request: Json, defaults: Mapping[str, Any]) -> Json:
    """The request's own fields win, and its own deadline over either kind of default."""
    overruled = _DUE if _DUE & request.keys() else set()
    return {**{name: value for name, value in defaults.items() if name not in overruled}, **request}
