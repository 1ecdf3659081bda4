"""Verifies Supabase access tokens. The key decides the algorithm, never the token."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt
from jwt import PyJWKClient, PyJWKClientConnectionError

from aico.core.access import OPERATOR_CLAIM
from aico.core.errors import Unauthorized, Unavailable
from aico.core.settings import Settings

_ALGORITHMS = {"EC": ["ES256"], "RSA": ["RS256"]}
_AUDIENCE = "authenticated"
_ROLE = "authenticated"
_LEEWAY_SECONDS = 10
_LONGEST_EMAIL = 320

KEYS_SECONDS = 600  # for which published keys are trusted without another look
AGAIN_SECONDS = 10  # after keys could not be fetched: until then nobody waits for another try


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who a verified token was issued to."""

    user: UUID
    session: UUID | None
    email: str | None
    expires_at: float  # Unix time
    operator: bool = False  # of the whole installation, as whoever holds the project's secret key has marked him


class PublishedKeys(PyJWKClient):
    """A project's keys. Neither tokens with unknown key ids nor an outage make it fetch them again and again."""

    def __init__(self, url: str) -> None:
        super().__init__(url, lifespan=KEYS_SECONDS, timeout=5)
        self._closed_until = 0.0

    def fetch_data(self) -> Any:
        """Raises PyJWKClientConnectionError, whatever it was that could not be read."""
        if time.monotonic() < self._closed_until:
            raise PyJWKClientConnectionError("they could not be fetched a moment ago")
        try:
            return super().fetch_data()
        except (jwt.PyJWTError, ValueError, OSError) as error:
            self._closed_until = time.monotonic() + AGAIN_SECONDS
            raise PyJWKClientConnectionError("they cannot be fetched") from error


class TokenVerifier:
    """HS256 only with the operator's own secret; everything else by key id from the project's published keys."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.supabase_jwt_secret
        self._issuer = f"{settings.supabase_url.rstrip('/')}/auth/v1" if settings.supabase_url else None
        self._keys = PublishedKeys(f"{self._issuer}/.well-known/jwks.json") if self._issuer else None

    @property
    def configured(self) -> bool:
        return self._secret is not None or self._keys is not None

    def verify(self, token: str) -> SignedIn:
        """The user that the token was issued to. May fetch keys, so it runs in a thread.

        Raises Unauthorized, and Unavailable where the keys to judge it by cannot be fetched.
        """
        try:
            key, algorithms = self._key_for(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=algorithms,
                audience=_AUDIENCE,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "sub", "aud", "role", *(["iss"] if self._issuer else [])]},
            )
            if claims["role"] != _ROLE or claims.get("is_anonymous"):
                raise Unauthorized("this token is not a user's")
            return _signed_in(claims)
        except PyJWKClientConnectionError as error:
            raise Unavailable("the keys that tokens are verified with cannot be fetched") from error
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise Unauthorized("the token is not valid") from error

    def _key_for(self, token: str) -> tuple[Any, list[str]]:
        header = jwt.get_unverified_header(token)
        if header.get("alg") == "HS256":
            if self._secret is None:
                raise Unauthorized("the token is not valid")
            return self._secret.get_secret_value(), ["HS256"]
        if self._keys is None:
            raise Unauthorized("the token is not valid")
        key = self._keys.get_signing_key(header["kid"]) if "kid" in header else None
        if key is None:
            raise Unauthorized("the token is not valid")
        return key.key, _ALGORITHMS.get(key.key_type or "", [])


def _signed_in(claims: dict[str, Any]) -> SignedIn:
    """Of verified claims. What a user can edit himself, `user_metadata`, says nothing."""
    email, session = claims.get("email"), claims.get("session_id")
    known = isinstance(email, str) and 0 < len(email) <= _LONGEST_EMAIL and "\x00" not in email
    metadata = claims.get("app_metadata")
    return SignedIn(
        UUID(claims["sub"]),
        UUID(session) if session else None,
        email if known else None,
        float(claims["exp"]),
        operator=isinstance(metadata, dict) and metadata.get(OPERATOR_CLAIM) is True,
    )
