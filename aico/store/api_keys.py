"""Statements about API keys. A key is known by the SHA-256 of its secret, and keeps its id when that changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.access import OPERATOR, Permission
from aico.core.assignment import Programme
from aico.core.jobs import CacheMode, CachePersonal
from aico.core.keys import NewKey, Secret
from aico.core.redaction import PiiPolicy
from aico.store.statement import Row, Statement, named_sql, no_row
from aico.store.tenants import mode_of

_SQL = named_sql("api_keys")

MAX_LIVE = 500  # keys of a tenant that open something


class KeyState(StrEnum):
    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """All but the hash, which no statement reads."""

    id: UUID
    name: str
    prefix: str
    scopes: frozenset[Permission]  # none: those of every key
    models: frozenset[str] | None  # which may answer; None: all
    created_by: str  # as the audit log names it
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rotated_at: datetime | None
    old_secret_until: datetime | None  # the secret before the present one works until then
    state: KeyState


def create(
    tenant: UUID,
    key: NewKey,
    scopes: Sequence[str] = (),
    models: Sequence[str] | None = None,
    by: str = OPERATOR,
) -> Statement[UUID]:
    """No row: the tenant has MAX_LIVE keys. Where that must hold exactly, `tenants.lock` comes before it."""
    params = {
        "id": key.id,
        "tenant": tenant,
        "name": key.name,
        "prefix": key.prefix,
        "hash": key.hash,
        "scopes": list(scopes),
        "models": None if models is None else list(models),
        "expires": key.expires_at,
        "by": by,
        "most": MAX_LIVE,
    }
    return Statement(_SQL["create"], params, _id)


def page(tenant: UUID, *, after: UUID | None = None, limit: int) -> Statement[ApiKey]:
    """Newest first."""
    return Statement(_SQL["page"], {"tenant": tenant, "id": None, "after": after, "limit": limit}, _api_key)


def get(tenant: UUID, key: UUID) -> Statement[ApiKey]:
    return Statement(_SQL["page"], {"tenant": tenant, "id": key, "after": None, "limit": 1}, _api_key)


def _api_key(row: Row) -> ApiKey:
    named = {"scopes": _scopes(row), "models": models_of(row), "state": KeyState(row["state"])}
    return ApiKey(**{**row, **named})


def _scopes(row: Row) -> frozenset[Permission]:
    return frozenset(map(Permission, row["scopes"]))


def models_of(row: Row) -> frozenset[str] | None:
    """Which may answer for a key; None: all."""
    return None if row["models"] is None else frozenset(row["models"])


def change(tenant: UUID, key: UUID, by: str, changes: Mapping[str, Any]) -> Statement[UUID]:
    """`changes` names columns: `name`, `models`, `expires_at`. No row: there is no such key, or it is revoked."""
    params = {"tenant": tenant, "id": key, "by": by, "changes": Jsonb(dict(changes))}
    return Statement(_SQL["change"], params, _id)


def rotate(
    tenant: UUID,
    key: UUID | None,
    secret: Secret,
    overlap_seconds: float,
    *,
    prefix: str | None = None,
    by: str = OPERATOR,
) -> Statement[UUID]:
    """By id or by prefix. The old secret works for `overlap_seconds`, one that is older ends now.

    No row: no live key is called that.
    """
    params = {
        "tenant": tenant,
        "id": key,
        "old_prefix": prefix,
        "prefix": secret.prefix,
        "hash": secret.hash,
        "overlap": float(overlap_seconds),
        "by": by,
    }
    return Statement(_SQL["rotate"], params, _id)


def revoke(tenant: UUID, key: UUID | None = None, *, prefix: str | None = None, by: str = OPERATOR) -> Statement[UUID]:
    """By id or by prefix; the ids of what was revoked. No row: no such key, or revoked before."""
    return Statement(_SQL["revoke"], {"tenant": tenant, "id": key, "prefix": prefix, "by": by}, _id)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom an API key speaks for."""

    key: UUID
    tenant: UUID
    scopes: frozenset[Permission]  # none: those of every key
    models: frozenset[str] | None
    cache_mode: CacheMode | None  # of the tenant's policy
    cache_personal: CachePersonal  # likewise
    pii: PiiPolicy  # likewise
    programme: Programme  # likewise
    valid_seconds: float | None  # until this secret stops working; None: it does not


def authenticate(key_hash: bytes) -> Statement[Holder]:
    """One look-up by hash, whether the key is known or not."""
    return Statement(_SQL["authenticate"], {"hash": key_hash}, _holder)


def _holder(row: Row) -> Holder:
    return Holder(
        key=row["key_id"],
        tenant=row["tenant_id"],
        scopes=_scopes(row),
        models=models_of(row),
        cache_mode=mode_of(row),
        cache_personal=CachePersonal(row["cache_personal"]),
        pii=PiiPolicy(row["pii"]),
        programme=Programme.model_validate(row["programme"]),
        valid_seconds=row["valid_for"],
    )


@dataclass(frozen=True, slots=True)
class Used:
    tenant: UUID
    key: UUID
    seconds_ago: float


def used(keys: Sequence[Used]) -> Statement[None]:
    """Remember when keys were last used; never earlier than is stored."""
    params = {
        "tenants": [one.tenant for one in keys],
        "ids": [one.key for one in keys],
        "ages": [one.seconds_ago for one in keys],
    }
    return Statement(_SQL["used"], params, no_row)


def _id(row: Row) -> UUID:
    found: UUID = row["id"]
    return found
