"""Tenants: those that a user belongs to, another one of his own, and the one that is acted for."""

from fastapi import APIRouter

from aico.api.auth import Principal
from aico.api.changed import tell
from aico.api.problems import documented
from aico.api.services import Held, Reader, Services, SettingsWriter
from aico.api.tenant_schemas import MembershipList, MembershipView, TenantChange, TenantRequest, TenantView
from aico.api.users import CurrentUserId
from aico.core import changes
from aico.core.errors import Conflict, Forbidden, NotFound, UnknownModel
from aico.core.ids import new_id
from aico.store import members, tenants
from aico.store.scope import Scope

router = APIRouter(prefix="/v1", tags=["tenants"])


@router.get("/tenants", responses=documented(401, 503))
async def list_tenants(held: Held, user: CurrentUserId) -> MembershipList:
    """List the tenants that the signed-in user belongs to, oldest membership first."""
    return MembershipList.of(await held.authenticator.memberships(user))


@router.post("/tenants", status_code=201, responses=documented(400, 401, 403, 409, 422, 503))
async def make_tenant(request: TenantRequest, held: Held, user: CurrentUserId) -> MembershipView:
    """Make another tenant, with the signed-in user as its owner. Other tenants may have the same name."""
    if not held.settings.personal_tenants:
        raise Forbidden("tenants are made by the operator here")
    tenant = new_id()
    make = tenants.make(tenant, user, request.name, held.settings.personal_plan)
    if not await held.database.run(Scope.system(), make):
        raise Conflict(f"you have made {tenants.MAX_MADE} tenants, and no more are allowed")
    await tell(held, changes.of_user(user))  # who belongs to several must name one from now on
    found = await held.database.run(Scope.user(user), members.memberships())
    return next(MembershipView.of(one) for one in found if one.tenant == tenant)


@router.get("/tenant", responses=documented(401, 403, 503))
async def get_tenant(held: Held, principal: Reader) -> TenantView:
    """Read the tenant that the credential acts for, with its policy."""
    return await _view(held, principal)


@router.patch("/tenant", responses=documented(400, 401, 403, 404, 422, 503))
async def change_tenant(request: TenantChange, held: Held, principal: SettingsWriter) -> TenantView:
    """Change the tenant's name, and what holds for its jobs where their callers do not say otherwise."""
    wanted = request.model_dump(mode="json", exclude_unset=True)
    for param, model in (("baseline_model", request.baseline_model), ("judge_model", request.judge_model)):
        if model is not None and model not in held.catalogue.known:
            raise UnknownModel(f"the model {model!r} does not exist", param=param)
    if "name" in wanted:
        wanted["display_name"] = wanted.pop("name")
    if wanted:
        tenant = principal.tenant
        await held.database.run(Scope.tenant(tenant), tenants.change(tenant, principal.actor, wanted))
        await tell(held, changes.of_tenant(tenant))
    return await _view(held, principal)


async def _view(held: Services, principal: Principal) -> TenantView:
    found = await held.database.run(Scope.tenant(principal.tenant), tenants.get(principal.tenant))
    if not found:  # it was erased since the credential was looked at
        raise NotFound("there is no such tenant")
    return TenantView.of(found[0])
