"""Who may see all tenants' figures together: the operator, who is nobody's member.

A user is one where whoever holds the project's secret key has said so: in the `app_metadata` of a verified token, which
nobody can write for himself, unlike his email or `user_metadata`. A program shows METRICS_TOKEN. No key of a tenant is
enough, whatever its scopes.
"""

import secrets
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from aico.api.credentials import Credentials
from aico.api.services import SCHEME, SCHEME_DESCRIPTION, services
from aico.core.errors import Forbidden
from aico.core.keys import KEY_PREFIX

_SCHEME = HTTPBearer(scheme_name=SCHEME, description=SCHEME_DESCRIPTION, auto_error=False)


async def only_operators(request: Request, _: Annotated[object, Depends(_SCHEME)]) -> None:
    """Raises Unauthorized for a credential that proves nothing, Forbidden for everybody else's."""
    held = await services(request)
    credentials, token = Credentials.of(request.headers), held.settings.metrics_token
    if token is not None and secrets.compare_digest(credentials.secret.encode(), token.get_secret_value().encode()):
        return
    if credentials.secret.startswith(KEY_PREFIX):
        await held.authenticator.principal(credentials)
        raise Forbidden("this is the operator's: no API key opens it; sign in, or send METRICS_TOKEN")
    if not (await held.authenticator.user(credentials)).operator:
        raise Forbidden("this is the operator's; `aico users operator EMAIL` makes somebody one")


Operator = Depends(only_operators)
