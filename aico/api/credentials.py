"""What a request says about who sends it, read the same way at every door."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aico.core.errors import Forbidden, Unauthorized

TENANT_HEADER = "X-Tenant-Id"
_LONGEST = 16_384  # characters of a credential; an access token with much in it has a few thousand


class Headers(Protocol):
    def getlist(self, key: str) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Credentials:
    secret: str
    tenant: str | None  # that is named, in lower case; None: none is

    @classmethod
    def of(cls, headers: Headers) -> "Credentials":
        """Raises Unauthorized where there is no bearer credential, Forbidden where two tenants are named."""
        given = headers.getlist("authorization")
        if len(given) > 1:
            raise Unauthorized("send one Authorization header")
        scheme, _, secret = (given[0] if given else "").partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret or len(secret) > _LONGEST:
            raise Unauthorized("send `Authorization: Bearer <API key>`")
        named = headers.getlist("x-tenant-id")
        if len(named) > 1:
            raise Forbidden(f"name one tenant in the {TENANT_HEADER} header", param=TENANT_HEADER)
        return cls(secret, named[0].lower() if named else None)

    @staticmethod
    def given(headers: Headers) -> bool:
        return bool(headers.getlist("authorization"))
