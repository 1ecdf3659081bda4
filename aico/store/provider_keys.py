"""Statements about the provider keys that tenants bring. A secret comes in sealed, and only workers read it again."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from aico.core.envelope import KeyEncryption, Sealed, seal
from aico.core.ids import new_id
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("provider_keys")
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class TenantKey:
    """A tenant's own key for a provider. Another key has another id, whoever sets it."""

    tenant: UUID
    provider: str
    id: UUID
    sealed: Sealed

    @property
    def bound_to(self) -> bytes:
        return binding(self.tenant, self.provider, self.id)


def binding(tenant: UUID, provider: str, key: UUID) -> bytes:
    """What a sealed key is bound to, so that no row can stand for another."""
    return f"aico provider key\n{tenant}\n{provider}\n{key}".encode()


def sealed_key(keys: KeyEncryption, tenant: UUID, provider: str, secret: SecretStr) -> TenantKey:
    """A new key, ready to be stored."""
    key = new_id()
    return TenantKey(tenant, provider, key, seal(keys, secret, bound_to=binding(tenant, provider, key)))


def keys_of(rows: Iterable[Row] | None) -> Mapping[str, TenantKey]:
    """By provider, of rows as `private.sealed` writes them."""
    return {row["provider"]: key_of(row) for row in rows or ()}


def key_of(row: Row) -> TenantKey:
    sealed = Sealed(
        kek_id=row["kek_id"],
        wrapped_key=base64.b64decode(row["wrapped_key"]),
        nonce=base64.b64decode(row["nonce"]),
        ciphertext=base64.b64decode(row["ciphertext"]),
    )
    return TenantKey(UUID(row["tenant_id"]), row["provider"], UUID(row["id"]), sealed)


@dataclass(frozen=True, slots=True)
class ListedKey:
    """All of a key that anybody is shown."""

    id: UUID
    provider: str
    kek_id: str
    hint: str | None  # its last characters
    created_at: datetime
    created_by: str


def put(key: TenantKey, hint: str | None, actor: str) -> Statement[ListedKey]:
    """Set the tenant's key for a provider, in a transaction that has locked the tenant.

    The one before is deleted; it is retired while an open batch was made with it.
    """
    params = {
        "tenant": key.tenant,
        "provider": key.provider,
        "id": key.id,
        "kek_id": key.sealed.kek_id,
        "wrapped_key": key.sealed.wrapped_key,
        "nonce": key.sealed.nonce,
        "ciphertext": key.sealed.ciphertext,
        "hint": hint,
        "actor": actor,
    }
    return Statement(_SQL["put"], params, lambda row: ListedKey(**row))


def ls(tenant: UUID) -> Statement[ListedKey]:
    return Statement(_SQL["ls"], {"tenant": tenant}, lambda row: ListedKey(**row))


def remove(tenant: UUID, provider: str, actor: str) -> Statement[UUID]:
    """Retired ones too. No row: there was none."""
    return Statement(_SQL["remove"], {"tenant": tenant, "provider": provider, "actor": actor}, _id)


def providers(tenant: UUID) -> Statement[tuple[str, UUID]]:
    """For which the tenant has a key, with its id."""
    return Statement(_SQL["providers"], {"tenant": tenant}, lambda row: (row["provider"], row["id"]))


@dataclass(frozen=True, slots=True)
class StaleKey:
    tenant: UUID
    id: UUID


def count_stale(kek_id: str) -> Statement[int]:
    """How many keys of all tenants are wrapped by another key-encryption key than this."""
    return Statement(_SQL["count_stale"], {"kek_id": kek_id}, lambda row: row["stale"])


def stale(kek_id: str, *, after: UUID | None, limit: int) -> Statement[StaleKey]:
    """Those, in the order of their ids; only whose they are."""
    params = {"kek_id": kek_id, "after": after or _FIRST, "limit": limit}
    return Statement(_SQL["stale"], params, lambda row: StaleKey(row["tenant_id"], row["key_id"]))


def sealed(keys: Sequence[StaleKey]) -> Statement[TenantKey]:
    """Under the scope of their tenants."""
    return Statement(_SQL["sealed"], _named(keys), lambda row: key_of(row["key"]))


def rewrap(changes: Sequence[tuple[TenantKey, Sealed]], actor: str) -> Statement[UUID]:
    """Store data keys that were wrapped anew. What was changed by somebody else meanwhile stays as it is."""
    params = {
        **_named([StaleKey(key.tenant, key.id) for key, _ in changes]),
        "before": [key.sealed.wrapped_key for key, _ in changes],
        "kek_ids": [after.kek_id for _, after in changes],
        "wrapped": [after.wrapped_key for _, after in changes],
        "actor": actor,
    }
    return Statement(_SQL["rewrap"], params, _id)


def _named(keys: Sequence[StaleKey]) -> dict[str, Any]:
    return {"tenants": list({key.tenant for key in keys}), "ids": [key.id for key in keys]}


def _id(row: Row) -> UUID:
    found: UUID = row["id"]
    return found
