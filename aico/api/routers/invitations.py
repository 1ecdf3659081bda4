"""Invitations: a token that makes whoever has its e-mail address a member, once. Sending it is the inviter's part."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path

from aico.api.changed import tell
from aico.api.member_schemas import (
    AcceptRequest,
    InvitationPage,
    InvitationRequest,
    InvitationView,
    NewInvitationView,
)
from aico.api.problems import documented
from aico.api.routers.jobs import After, Limit
from aico.api.services import Held, MemberWriter
from aico.api.tenant_schemas import MembershipView
from aico.api.users import CurrentUser
from aico.core import changes
from aico.core.access import grantable
from aico.core.errors import Conflict, Forbidden, NotFound
from aico.core.ids import new_id
from aico.core.keys import INVITATION_PREFIX, hash_key, make_secret
from aico.store import invitations, members, tenants
from aico.store.invitations import MAX_PENDING
from aico.store.scope import Scope
from aico.store.statement import Statement

router = APIRouter(prefix="/v1/invitations", tags=["members"])

_PROBLEMS = documented(401, 403, 422, 503)


@router.post("", status_code=201, responses={**_PROBLEMS, **documented(400, 409)})
async def invite(request: InvitationRequest, held: Held, principal: MemberWriter) -> NewInvitationView:
    """Invite somebody for a week. The token is in this answer and in no other: send it to the address."""
    if request.role not in grantable(principal.permissions):
        raise Forbidden(f"you cannot make anybody {request.role}: that role may do more than you", param="role")
    token, tenant = make_secret(INVITATION_PREFIX), principal.tenant
    scope = Scope.tenant(tenant)
    create = invitations.create(tenant, new_id(), request.email, request.role, token.hash, principal.actor)
    work: list[tuple[Scope, Statement[Any]]] = [(scope, tenants.lock(tenant)), (scope, create)]
    _, made = await held.database.run_each(work)
    if not made:
        raise Conflict(f"{MAX_PENDING} invitations are open, and no more are allowed; revoke one first")
    return NewInvitationView.with_token(made[0], token.text)


@router.get("", responses=_PROBLEMS)
async def list_invitations(
    held: Held, principal: MemberWriter, limit: Limit = 20, after: After = None
) -> InvitationPage:
    """List the invitations, newest first, also those that are over."""
    statement = invitations.page(principal.tenant, after=after, limit=limit + 1)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    return InvitationPage.of([InvitationView.of(one) for one in found], limit, lambda view: view.id)


@router.delete("/{invitation_id:uuid}", status_code=204, responses={**_PROBLEMS, **documented(404)})  # not `accept`
async def revoke_invitation(
    invitation_id: Annotated[UUID, Path(description="The invitation's id.")], held: Held, principal: MemberWriter
) -> None:
    """Take an invitation back before it is accepted."""
    revoke = invitations.revoke(principal.tenant, invitation_id, principal.actor)
    if not await held.database.run(Scope.tenant(principal.tenant), revoke):
        raise NotFound(f"there is no open invitation {invitation_id}", param="invitation_id")


@router.post("/accept", responses=documented(400, 401, 404, 422, 503))
async def accept_invitation(request: AcceptRequest, held: Held, user: CurrentUser) -> MembershipView:
    """Become a member, as the user whose e-mail address the invitation was made for. A token works once."""
    accept = invitations.accept(hash_key(request.token), user.user, user.email or "")
    joined = await held.database.run(Scope.system(), accept)
    if not joined:  # one answer, so that a token that was found or guessed tells nothing
        raise NotFound("there is no such invitation for you", param="token")
    await tell(held, changes.of_user(user.user))
    found = await held.database.run(Scope.user(user.user), members.memberships())
    mine = [one for one in found if one.tenant == joined[0]]
    if not mine:  # and removed again in the same moment
        raise NotFound("there is no such invitation for you", param="token")
    return MembershipView.of(mine[0])
