"""Who speaks: a key of the project, or a person with an access token."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt

from aico.embedded.auth.signing import AUDIENCE, SigningKeys
from aico.embedded.realtime.frames import compact

_KEY = "sb_"  # how keys begin, which are nobody's access tokens


@dataclass(frozen=True, slots=True)
class Holder:
    """As what the policies of the database see somebody."""

    role: str
    claims: str  # JSON
    person: UUID | None = None
    session: UUID | None = None  # the sign-in
    expires_at: float | None = None  # Unix time


ANYBODY = Holder("anon", compact({"role": "anon"}))
"""Who has shown a key alone. The secret one opens no more here: whoever has it has the database too."""


class Unauthorized(Exception):
    """The message is for the client."""


def holder_of(token: str | None, keys: SigningKeys) -> Holder:
    """Raises Unauthorized."""
    if token is None or token.startswith(_KEY):
        return ANYBODY
    try:
        claims: dict[str, Any] = keys.verify(token)
        person, session = UUID(claims["sub"]), UUID(claims["session_id"])
    except jwt.ExpiredSignatureError as error:
        raise Unauthorized("InvalidJWTToken: Token has expired") from error
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
        raise Unauthorized("MalformedJWT: The token provided is not a valid JWT") from error
    if claims.get("role") != AUDIENCE:
        raise Unauthorized("MalformedJWT: The token provided is of a role that nobody has here")
    return Holder(AUDIENCE, compact(claims), person, session, float(claims["exp"]))
