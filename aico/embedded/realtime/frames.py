"""What goes over the wire: Phoenix messages in the two forms that Supabase's clients speak.

Version 1.0.0 is an object, 2.0.0 an array. With the latter, clients send their broadcasts as binary frames.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

_USER_BROADCAST_PUSH = 3
_JSON = 1
_HEADER_BYTES = 7
_MAX_NAME = 255  # characters of a topic, an event or a reference
_BROADCAST = "broadcast"


class Version(StrEnum):
    ONE = "1.0.0"
    TWO = "2.0.0"


class Malformed(Exception):
    """Nothing that a client of this version sends. `code` closes the connection."""

    def __init__(self, message: str, code: int = 1007) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    event: str
    payload: dict[str, Any]
    ref: str | None = None
    join_ref: str | None = None


def decode(version: Version, text: str | None, data: bytes | None) -> Message:
    """Raises Malformed."""
    if text is not None:
        return _of_text(version, text)
    if version is not Version.TWO:
        raise Malformed("binary frames are of version 2.0.0", 1003)
    return _of_bytes(data or b"")


def encode(version: Version, message: tuple[str | None, str | None], topic: str, event: str, payload: str) -> str:
    """`message` is join_ref and ref, `payload` JSON already."""
    join_ref, ref = message
    if version is Version.TWO:
        return f"[{json.dumps(join_ref)},{json.dumps(ref)},{json.dumps(topic)},{json.dumps(event)},{payload}]"
    head = json.dumps({"topic": topic, "event": event, "ref": ref, "join_ref": join_ref})
    return f'{head[:-1]},"payload":{payload}}}'


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _of_text(version: Version, text: str) -> Message:
    found = _json(text)
    if version is Version.TWO:
        if not isinstance(found, list) or len(found) != 5:  # noqa: PLR2004 # join_ref, ref, topic, event, payload
            raise Malformed("a message is an array of five")
        join_ref, ref, topic, event, payload = found
    else:
        if not isinstance(found, dict):
            raise Malformed("a message is an object")
        join_ref, ref, topic, event, payload = (
            found.get(name) for name in ("join_ref", "ref", "topic", "event", "payload")
        )
    if payload is None:
        payload = {}
    if not isinstance(payload, dict):
        raise Malformed("a payload is an object")
    return Message(_name(topic), _name(event), payload, _reference(ref), _reference(join_ref))


def _of_bytes(data: bytes) -> Message:
    """A broadcast: the lengths of five fields and the encoding of the payload, then the fields, then the payload."""
    if len(data) < _HEADER_BYTES or data[0] != _USER_BROADCAST_PUSH:
        raise Malformed("no broadcast", 1003)
    if data[6] != _JSON:
        raise Malformed("payloads are JSON", 1003)
    fields, offset = [], _HEADER_BYTES
    for length in data[1:6]:
        fields.append(data[offset : offset + length])
        offset += length
    if offset > len(data):
        raise Malformed("a field goes beyond the end")
    try:
        join_ref, ref, topic, event, _ = (field.decode() for field in fields)
        payload = data[offset:].decode()
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8") from error
    body = {"type": _BROADCAST, "event": _name(event), "payload": _json(payload)}
    return Message(_name(topic), _BROADCAST, body, ref or None, join_ref or None)


def _json(text: str) -> Any:
    try:
        found = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text:  # an escape may stand for half a character, which nothing can write again
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Malformed("not JSON") from error
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > _MAX_NAME or "\0" in value:
        raise Malformed("a topic and an event are names")
    return value


def _reference(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is not None and (not isinstance(value, str) or len(value) > _MAX_NAME):
        raise Malformed("a reference is a text")
    return value
