"""Dependencies of routes that are about whoever is signed in, in whatever tenant; and of one that nobody need be."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from aico.api.auth import Principal
from aico.api.credentials import Credentials
from aico.api.services import SCHEME, SCHEME_DESCRIPTION, services
from aico.api.tokens import SignedIn

_SCHEME = HTTPBearer(scheme_name=SCHEME, description=SCHEME_DESCRIPTION, auto_error=False)


async def get_current_user(request: Request, _: Annotated[object, Depends(_SCHEME)]) -> SignedIn:
    """Raises Unauthorized, also for an API key: it speaks for a tenant, not for a person."""
    return await (await services(request)).authenticator.user(Credentials.of(request.headers))


async def get_current_user_id(user: Annotated[SignedIn, Depends(get_current_user)]) -> UUID:
    return user.user


async def optional_auth(request: Request) -> Principal | None:
    """None where nothing was sent. A credential that is sent must be right: raises as Credential does."""
    if not Credentials.given(request.headers):
        return None
    return await (await services(request)).authenticator.principal(Credentials.of(request.headers))


CurrentUser = Annotated[SignedIn, Depends(get_current_user)]
CurrentUserId = Annotated[UUID, Depends(get_current_user_id)]
OptionalAuth = Annotated[Principal | None, Depends(optional_auth)]
