"""API keys: what a new one looks like, and the hash under which it is known. The key itself is never stored."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr

from aico.core.ids import new_id

KEY_PREFIX = "aico_live_"
_SHOWN = len(KEY_PREFIX) + 6


@dataclass(frozen=True, slots=True)
class NewKey:
    id: UUID
    name: str
    secret: SecretStr
    prefix: str
    hash: bytes
    expires_at: datetime | None


def hash_key(key: str) -> bytes:
    """SHA-256. Keys carry 256 random bits, so a slow hash would add cost and no safety."""
    return hashlib.sha256(key.encode()).digest()


def make_key(name: str, expires_at: datetime | None = None) -> NewKey:
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    return NewKey(new_id(), name, SecretStr(key), key[:_SHOWN], hash_key(key), expires_at)
