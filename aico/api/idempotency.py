"""The Idempotency-Key header: the same key and request stand for the same job (draft-ietf-httpapi-idempotency-key)."""

import hashlib
import re

from pydantic import BaseModel
from starlette.datastructures import Headers

from aico.core.canonical import canonical_json
from aico.core.errors import InvalidInput
from aico.store.jobs import IdempotencyKey

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"

_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')  # a string as structured fields write it (RFC 9651)
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


def idempotency_key(headers: Headers, request: BaseModel, ttl_seconds: float) -> IdempotencyKey | None:
    """The caller's key, quoted or not, with a hash of the request. Raises InvalidInput for one that is no key."""
    given = headers.getlist(HEADER)
    if not given:
        return None
    if len(given) > 1:
        raise InvalidInput(f"send one {HEADER}, not {len(given)}", param=HEADER)
    text = given[0].strip()
    quoted = _QUOTED.fullmatch(text)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text
    if not _KEY.fullmatch(key):
        raise InvalidInput(f"{HEADER} is a string of 1 to 255 printable ASCII characters", param=HEADER)
    asked = canonical_json(request.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    return IdempotencyKey(key, hashlib.sha256(asked).digest(), ttl_seconds)
