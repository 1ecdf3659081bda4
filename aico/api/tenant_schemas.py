"""What goes over the wire about tenants, those who act for them, and who did what."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from aico.api.key_schemas import Actor, Name
from aico.api.paging import Page
from aico.core.access import ROLE_PERMISSIONS, Permission, Role
from aico.core.assignment import MAX_HOLDOUT
from aico.core.cache_policy import MAX_ERROR_RATE, GuardPolicy
from aico.core.inputs import Count, ModelName, Number
from aico.core.jobs import CacheMode, CachePersonal
from aico.core.plans import Plan
from aico.core.redaction import PiiPolicy
from aico.core.strategies import StrategyName
from aico.store.audit import Entry
from aico.store.members import Membership
from aico.store.tenants import Profile


class MembershipView(BaseModel):
    """A tenant that a user belongs to, and what he may do there."""

    id: Annotated[UUID, Field(description="For the X-Tenant-Id header.")]
    name: str
    role: Role
    permissions: list[Permission]
    plan: Plan | None
    personal: Annotated[bool, Field(description="Made at its owner's first sign-in.")]
    since: datetime

    @classmethod
    def of(cls, one: Membership) -> Self:
        return cls(
            id=one.tenant,
            name=one.name,
            role=one.role,
            permissions=sorted(ROLE_PERMISSIONS[one.role]),
            plan=one.plan,
            personal=one.personal,
            since=one.since,
        )


class MembershipList(BaseModel):
    data: list[MembershipView]

    @classmethod
    def of(cls, found: Sequence[Membership]) -> Self:
        return cls(data=[MembershipView.of(one) for one in found])


class UserView(BaseModel):
    """Who is signed in."""

    id: UUID
    email: str | None
    session_id: UUID | None
    operator: Annotated[bool, Field(description="Whether the whole installation's figures are open to this user.")]
    tenants: list[MembershipView]


class WhoAmIView(BaseModel):
    """Whom a credential speaks for. Without one: nobody, so all is null and nothing permitted."""

    actor: Actor | None = None
    tenant_id: UUID | None = None
    role: Role | None = None
    permissions: list[Permission] = []
    models: Annotated[list[str] | None, Field(description="That may answer; null: all.")] = None


class TenantRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name


class TenantChange(BaseModel):
    """What is left out stays as it is. Null, where it may stand, means the service's default."""

    model_config = ConfigDict(extra="forbid")

    name: Name = ""
    fallback: Annotated[bool, Field(description="Whether another model may answer where a named one fails.")] = True
    cache_mode: CacheMode | None = None
    baseline_model: Annotated[ModelName | None, Field(description="What savings are measured against.")] = None
    similarity_threshold: Annotated[
        Number | None,
        Field(ge=0, le=1, description="The least cosine at which a kept answer may be served again."),
    ] = None
    pii: Annotated[PiiPolicy, Field(description="`redact`: personal data is replaced before anything is stored.")] = (
        PiiPolicy.OFF
    )
    holdout_share: Annotated[
        Number | None,
        Field(ge=0, le=MAX_HOLDOUT, description="Of the jobs, answered without us, to measure us."),
    ] = None
    strategy: Annotated[StrategyName | None, Field(description="By which models are chosen.")] = None
    quality_target: Annotated[
        Number | None,
        Field(ge=0, le=1, description="Share of the best single model's quality that choices aim at."),
    ] = None
    implicit_outcomes: Annotated[
        bool, Field(description="Whether what callers do next, and how answers end, counts as a judgement.")
    ] = True
    shadow_rate: Annotated[
        Number | None,
        Field(ge=0, le=1, description="Of jobs that another model answers too; at most the service's."),
    ] = None
    judge_model: Annotated[ModelName | None, Field(description="What compares answers.")] = None
    judge_daily_cents: Annotated[
        Decimal | None,
        Field(ge=0, le=1_000_000, max_digits=18, description="What comparing may cost a day; at most the service's."),
    ] = None
    compare_with_own_keys: Annotated[
        bool, Field(description="Whether the tenant's own provider keys may be used for it.")
    ] = False
    max_error_rate: Annotated[
        Number | None,
        Field(gt=0, le=MAX_ERROR_RATE, description="Wrong answers per hit by meaning, at most."),
    ] = None
    cache_guards: Annotated[
        GuardPolicy | None,
        Field(description="Which differences between two questions forbid a hit, whatever the score."),
    ] = None
    cache_personal: Annotated[
        CachePersonal,
        Field(description="Personal questions of users that callers name: `user`, kept for each alone, or `never`."),
    ] = CachePersonal.USER
    cache_max_entries: Annotated[
        Count | None, Field(ge=1, le=2**31 - 1, description="Answers that are kept; at most the service's.")
    ] = None


class TenantView(BaseModel):
    id: UUID
    name: str
    plan: Plan | None
    personal: bool
    created_at: datetime
    fallback: bool
    cache_mode: Annotated[CacheMode | None, Field(description="Null: the service's.")]
    baseline_model: Annotated[str | None, Field(description="Null: the service's.")]
    similarity_threshold: Annotated[float | None, Field(description="Null: the service's.")]
    pii: PiiPolicy
    holdout_share: Annotated[float | None, Field(description="Null: the service's.")]
    strategy: Annotated[StrategyName | None, Field(description="Null: the service's.")]
    quality_target: Annotated[float | None, Field(description="Null: the service's.")]
    implicit_outcomes: bool
    shadow_rate: Annotated[float | None, Field(description="Null: the service's.")]
    judge_model: Annotated[str | None, Field(description="Null: the service's.")]
    judge_daily_cents: Annotated[Decimal | None, Field(description="Null: the service's.")]
    compare_with_own_keys: bool
    max_error_rate: Annotated[float | None, Field(description="Null: the service's.")]
    cache_guards: Annotated[GuardPolicy | None, Field(description="Null: the service's.")]
    cache_personal: CachePersonal
    cache_max_entries: Annotated[int | None, Field(description="Null: the service's.")]

    @classmethod
    def of(cls, tenant: Profile) -> Self:
        policy = tenant.policy
        return cls(
            id=tenant.id,
            name=tenant.name,
            plan=tenant.plan,
            personal=tenant.personal,
            created_at=tenant.created_at,
            fallback=policy.fallback,
            cache_mode=policy.cache_mode,
            baseline_model=policy.baseline_model,
            similarity_threshold=policy.similarity_threshold,
            pii=policy.pii,
            holdout_share=policy.holdout_share,
            strategy=policy.strategy,
            quality_target=policy.quality_target,
            implicit_outcomes=policy.implicit_outcomes,
            shadow_rate=policy.shadow_rate,
            judge_model=policy.judge_model,
            judge_daily_cents=policy.judge_daily_cents,
            compare_with_own_keys=policy.compare_with_own_keys,
            max_error_rate=policy.max_error_rate,
            cache_guards=policy.cache_guards,
            cache_personal=policy.cache_personal,
            cache_max_entries=policy.cache_max_entries,
        )


class EntryView(BaseModel):
    id: UUID
    at: datetime
    actor: Actor
    action: Annotated[str, Field(description="Dotted, in the past tense: `api_key.created`.")]
    subject: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls.model_validate(entry, from_attributes=True)


class EntryPage(Page[EntryView]):
    pass
