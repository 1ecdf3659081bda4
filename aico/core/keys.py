"""API keys and tokens of invitations: what a new one looks like, and the hash under which it is known.

The secret itself is never stored.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr

from aico.core.ids import new_id

KEY_PREFIX = "aico_live_"
INVITATION_PREFIX = "aico_invite_"
_SHOWN = 6  # characters after the prefix, to recognise a secret by


@dataclass(frozen=True, slots=True)
class Secret:
    """256 random bits behind a prefix that says what they are for."""

    text: SecretStr
    prefix: str
    hash: bytes


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


def make_secret(prefix: str = KEY_PREFIX) -> Secret:
    text = prefix + secrets.token_urlsafe(32)
    return Secret(SecretStr(text), text[: len(prefix) + _SHOWN], hash_key(text))


def make_key(name: str, expires_at: datetime | None = None) -> NewKey:
    made = make_secret()
    return NewKey(new_id(), name, made.text, made.prefix, made.hash, expires_at)
