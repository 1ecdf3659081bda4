"""Verifies Supabase access tokens. The key decides the algorithm, never the token."""

from typing import Any
from uuid import UUID

import jwt
from jwt import PyJWKClient, PyJWKClientConnectionError

from aico.core.errors import Unauthorized, Unavailable
from aico.core.settings import Settings

_ALGORITHMS = {"EC": ["ES256"], "RSA": ["RS256"]}
_AUDIENCE = "authenticated"
_ROLE = "authenticated"
_LEEWAY_SECONDS = 10


class TokenVerifier:
    """HS256 only with the operator's own secret; everything else by key id from the project's published keys."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.supabase_jwt_secret
        self._issuer = f"{settings.supabase_url.rstrip('/')}/auth/v1" if settings.supabase_url else None
        self._keys = (
            PyJWKClient(f"{self._issuer}/.well-known/jwks.json", cache_keys=True, lifespan=600, timeout=5)
            if self._issuer
            else None
        )

    @property
    def configured(self) -> bool:
        return self._secret is not None or self._keys is not None

    def verify(self, token: str) -> UUID:
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
            return UUID(claims["sub"])
        except PyJWKClientConnectionError as error:
            raise Unavailable("the keys that tokens are verified with cannot be fetched") from error
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise Unauthorized("the token is not valid") from error

    def _key_for(self, token: str) -> tuple[Any, list[str]]:
        if jwt.get_unverified_header(token).get("alg") == "HS256":
            if self._secret is None:
                raise Unauthorized("the token is not valid")
            return self._secret.get_secret_value(), ["HS256"]
        if self._keys is None:
            raise Unauthorized("the token is not valid")
        key = self._keys.get_signing_key_from_jwt(token)
        return key.key, _ALGORITHMS.get(key.key_type or "", [])
