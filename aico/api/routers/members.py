"""Who belongs to a tenant, and as what. A tenant keeps an owner, and nobody gives or takes more than he has."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path

from aico.api.auth import Principal
from aico.api.changed import tell
from aico.api.member_schemas import MemberPage, MemberView, RoleChange
from aico.api.problems import documented
from aico.api.routers.jobs import After, Limit
from aico.api.services import Held, MemberWriter, Reader, Services
from aico.core import changes
from aico.core.access import Permission, Role, grantable
from aico.core.errors import Conflict, Forbidden, NotFound
from aico.store import members, tenants
from aico.store.members import Verdict
from aico.store.scope import Scope
from aico.store.statement import Statement

router = APIRouter(prefix="/v1/members", tags=["members"])

UserId = Annotated[UUID, Path(description="The member's id as a user.")]

_CHANGE_PROBLEMS = documented(401, 403, 404, 409, 422, 503)


@router.get("", responses=documented(401, 403, 422, 503))
async def list_members(held: Held, principal: MemberWriter, limit: Limit = 20, after: After = None) -> MemberPage:
    """List the members, oldest first."""
    statement = members.page(principal.tenant, after=after, limit=limit + 1)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    return MemberPage.of([MemberView.of(one) for one in found], limit, lambda view: view.user_id)


@router.patch("/{user_id}", status_code=204, responses={**_CHANGE_PROBLEMS, **documented(400)})
async def change_role(user_id: UserId, request: RoleChange, held: Held, principal: MemberWriter) -> None:
    """Give a member another role. The last owner keeps his."""
    may_grant = grantable(principal.permissions)
    if request.role not in may_grant:
        raise Forbidden(f"you cannot make anybody {request.role}: that role may do more than you", param="role")
    await _change(held, principal, user_id, request.role, may_grant)


@router.delete("/{user_id}", status_code=204, responses=_CHANGE_PROBLEMS)
async def remove_member(user_id: UserId, held: Held, principal: Reader) -> None:
    """Remove a member, or leave. His access ends at once, and his open invitations with it; keys that he made stay."""
    if principal.user == user_id:
        await _change(held, principal, user_id, None, tuple(Role))
    else:
        principal.require(Permission.MEMBERS_WRITE)
        await _change(held, principal, user_id, None, grantable(principal.permissions))


async def _change(
    held: Services, principal: Principal, user_id: UUID, role: Role | None, may_touch: tuple[Role, ...]
) -> None:
    scope, tenant = Scope.tenant(principal.tenant), principal.tenant
    change = members.change(tenant, user_id, role, grantable=may_touch, by=principal.actor)
    work: list[tuple[Scope, Statement[Any]]] = [(scope, tenants.lock(tenant)), (scope, change)]
    _, verdicts = await held.database.run_each(work)
    if not verdicts:
        raise NotFound(f"there is no member {user_id}", param="user_id")
    if verdicts == [Verdict.ABOVE]:
        raise Forbidden("this member may do more than you", param="user_id")
    if verdicts == [Verdict.LAST_OWNER]:
        raise Conflict("this is the last owner; make another member owner first", param="user_id")
    await tell(held, changes.of_user(user_id))
