"""Canonical JSON, and the two hashes that decide whether two requests are the same.

The *namespace* covers everything but the last user turn: messages before it, model, parameters and response format.
Only inside one namespace are last turns compared by meaning. The *fingerprint* covers the namespace and the last turn.
Text is compared after Unicode NFC, with line ends as `\n` and outer white space removed; case and inner white space
count, because they carry meaning in code.
"""

import hashlib
import json
import unicodedata
from typing import Any, NamedTuple

from aico.core.chat import ChatRequest


class CacheKey(NamedTuple):
    namespace: bytes  # sha256, 32 bytes
    fingerprint: bytes  # sha256, 32 bytes


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no insignificant white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def canonical_text(text: str) -> str:
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").strip()


def cache_key(request: ChatRequest) -> CacheKey:
    *earlier, last = request.messages
    context = {
        "earlier": [[message.role, canonical_text(message.content)] for message in earlier],
        "model": request.model,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop),
        "seed": request.seed,
        "response_format": request.response_format,
    }
    namespace = hashlib.sha256(canonical_json(context)).digest()
    turn = canonical_text(last.content).encode()
    return CacheKey(namespace, hashlib.sha256(namespace + turn).digest())
