"""What goes over the wire about members and invitations."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from aico.api.key_schemas import Actor, shown_once
from aico.api.paging import Page
from aico.core.access import Role
from aico.core.inputs import Text
from aico.store.invitations import Invitation, InvitationState
from aico.store.members import Member

Email = Annotated[Text, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)]
InvitationToken = Annotated[SecretStr, *shown_once("What whoever is invited sends to `/v1/invitations/accept`.")]


class RoleChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Role


class MemberView(BaseModel):
    user_id: UUID
    email: str | None
    role: Role
    since: datetime

    @classmethod
    def of(cls, member: Member) -> Self:
        return cls(user_id=member.user, email=member.email, role=member.role, since=member.since)


class MemberPage(Page[MemberView]):
    pass


class InvitationRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"email": "new@example.com", "role": "member"}]}
    )

    email: Email
    role: Role = Role.MEMBER


class InvitationView(BaseModel):
    id: UUID
    email: str
    role: Role
    state: InvitationState
    created_by: Actor
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    accepted_by: UUID | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, invitation: Invitation) -> Self:
        return cls.model_validate(invitation, from_attributes=True)


class NewInvitationView(InvitationView):
    token: InvitationToken

    @classmethod
    def with_token(cls, invitation: Invitation, token: SecretStr) -> Self:
        return cls(**InvitationView.of(invitation).model_dump(), token=token)


class InvitationPage(Page[InvitationView]):
    pass


class AcceptRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: Annotated[Text, Field(min_length=1, max_length=200)]
