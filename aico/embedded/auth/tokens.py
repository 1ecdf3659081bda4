"""What a sign-in is given: an access token that says who it is, and a refresh token that gets the next one."""

import base64
import hashlib
import hmac
import secrets
import time
from typing import Any

from pydantic import SecretStr

from aico.embedded.auth.signing import AUDIENCE, TOKEN_SECONDS, Claims, SigningKeys
from aico.embedded.auth.views import user_json
from aico.store.accounts import Session

_REFRESH_BYTES = 32


def new_refresh_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(_REFRESH_BYTES)


def hash_refresh_token(token: str) -> bytes:
    """SHA-256. Tokens carry 256 random bits, so a slow hash would add cost and no safety."""
    return hashlib.sha256(token.encode()).digest()


def successor_of(token: str, key: SecretStr) -> str:
    """What a refresh token is exchanged for: to each its one successor, which only the holder of `key` can tell.

    Two who exchange the same token at once hold the same one afterwards. So a session stays one chain, and a thief and
    the owner cannot go on side by side.
    """
    digest = hmac.new(key.get_secret_value().encode(), token.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def session_json(session: Session, refresh_token: str, keys: SigningKeys) -> dict[str, Any]:
    now = int(time.time())
    return {
        "access_token": keys.sign(access_claims(session, now)),
        "token_type": "bearer",
        "expires_in": TOKEN_SECONDS,
        "expires_at": now + TOKEN_SECONDS,
        "refresh_token": refresh_token,
        "user": user_json(session.account),
    }


def access_claims(session: Session, now: int) -> Claims:
    """All but the issuer, whom the keys know."""
    account = session.account
    return {
        "sub": str(account.id),
        "aud": AUDIENCE,
        "exp": now + TOKEN_SECONDS,
        "iat": now,
        "email": account.email or "",
        "phone": "",
        "app_metadata": account.app_metadata,
        "user_metadata": account.user_metadata,
        "role": account.role,
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": int(session.signed_in_at.timestamp())}],
        "session_id": str(session.id),
        "is_anonymous": account.is_anonymous,
    }
