"""Canonical JSON, and the two hashes that decide whether two requests are the same.

The *namespace* covers everything but the text of the last turn: messages before it, pictures, tools, model, parameters
and response format; not the hints, which do not change what is asked.
Only inside one namespace are last turns compared by meaning. The *fingerprint* covers the namespace and the last turn.
Text is compared after Unicode NFC, with line ends as `\n` and outer white space removed; case and inner white space
count, because they carry meaning in code. More than thirty marks on one letter are left as they are.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple

from aico.core.chat import ChatRequest, ImagePart, Message, Part, TextPart

_PLAIN = {"role", "content"}
_SHORT = 1_000  # characters that may be normalised whatever they are
# On one letter, as in Unicode's Stream-Safe Text Format: sorting them takes the square of their number.
_MOST_MARKS = 30
_MARKS_IN_DISGUISE = frozenset("\u0f73\u0f75\u0f81")  # made of marks, and none themselves
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class CacheKey(NamedTuple):
    namespace: bytes  # sha256, 32 bytes
    fingerprint: bytes  # sha256, 32 bytes


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no insignificant white space."""
    return _ENCODER.encode(value).encode()


def nfc(text: str) -> str:
    """Unicode NFC, in linear time for any text."""
    if len(text) <= _SHORT or text.isascii():
        return unicodedata.normalize("NFC", text)
    pieces, begun = list[str](), 0
    at = 0
    for marks, run in groupby(text, _is_mark):
        length = sum(1 for _ in run)
        if marks and length > _MOST_MARKS:
            pieces += unicodedata.normalize("NFC", text[begun:at]), text[at : at + length]
            begun = at + length
        at += length
    return "".join([*pieces, unicodedata.normalize("NFC", text[begun:])])


def _is_mark(letter: str) -> bool:
    return unicodedata.combining(letter) > 0 or letter in _MARKS_IN_DISGUISE


def canonical_text(text: str) -> str:
    return nfc(text).replace("\r\n", "\n").replace("\r", "\n").strip()


def cache_key(request: ChatRequest, scope: Mapping[str, Any] = MappingProxyType({})) -> CacheKey:
    """`scope` is what else must be equal for an answer to be served again, such as the least quality asked for."""
    *earlier, last = request.messages
    context = {
        **request.model_dump(mode="json", exclude_defaults=True, exclude={"messages", "hints"}),
        "earlier": [_canonical_message(message) for message in earlier],
        "last": _canonical_message(last, words=False),
        "scope": dict(scope),
    }
    namespace = hashlib.sha256(canonical_json(context)).digest()
    return CacheKey(namespace, hashlib.sha256(namespace + _turn(last)).digest())


def _turn(last: Message) -> bytes:
    """Its words; among pictures with their places, for words before one picture may be about that one."""
    if isinstance(last.content, str) or not last.images:
        return canonical_text(last.text).encode()
    return canonical_json([_canonical_part(part) for part in last.content])


def _canonical_message(message: Message, *, words: bool = True) -> dict[str, Any]:
    """Without `words` only what is beside the text: pictures, tool calls, names."""
    content = message.content
    if isinstance(content, str):
        parts: list[Any] = [canonical_text(content)] if words else []
    else:
        parts = [_canonical_part(part) for part in content if words or isinstance(part, ImagePart)]
    if message.model_fields_set <= _PLAIN:  # nearly all are: no need to look further
        return {"role": message.role, "parts": parts}
    rest = message.model_dump(mode="json", exclude_defaults=True, exclude={"content"})
    return {**rest, "parts": parts}


def _canonical_part(part: Part) -> Any:
    return canonical_text(part.text) if isinstance(part, TextPart) else [part.url, part.detail]
