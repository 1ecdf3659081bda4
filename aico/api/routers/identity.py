"""Who asks: a user with his tenants, or whomever a credential speaks for."""

from fastapi import APIRouter

from aico.api.problems import documented
from aico.api.services import SCHEME, Held
from aico.api.tenant_schemas import MembershipView, UserView, WhoAmIView
from aico.api.users import CurrentUser, OptionalAuth

router = APIRouter(prefix="/v1", tags=["identity"])


@router.get("/me", responses=documented(401, 503))
async def get_me(held: Held, user: CurrentUser) -> UserView:
    """Read who is signed in, with the tenants that he belongs to."""
    found = await held.authenticator.memberships(user.user)
    return UserView(
        id=user.user,
        email=user.email,
        session_id=user.session,
        operator=user.operator,
        tenants=[MembershipView.of(one) for one in found],
    )


@router.get("/whoami", responses=documented(401, 403, 503), openapi_extra={"security": [{}, {SCHEME: []}]})
async def who_am_i(principal: OptionalAuth) -> WhoAmIView:
    """Read whom a credential speaks for and what it permits. Without one: nobody, and nothing."""
    if principal is None:
        return WhoAmIView()
    return WhoAmIView(
        actor=principal.actor,
        tenant_id=principal.tenant,
        role=principal.role,
        permissions=sorted(principal.permissions),
        models=None if principal.models is None else sorted(principal.models),
    )
