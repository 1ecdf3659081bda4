"""Statements about namespaces of the cache: questions that may share answers, and what holds for them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from aico.core.cache_policy import GuardPolicy
from aico.store.embeddings import KnownNamespace, known_namespace
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("cache_namespaces")

State = Literal["learning", "serving", "probation", "suspended"]


@dataclass(frozen=True, slots=True)
class Namespace:
    namespace: str  # 64 hexadecimal digits
    label: str  # how its instructions begin
    state: State
    evidence_since: datetime | None
    cut: float | None  # the least score that is served; None: the service's
    bound: float | None  # of the error per hit
    judged: int
    above: int
    wrong: int
    entries: int  # as far as they have been added up
    bytes: int
    ttl_seconds: int | None
    created_at: datetime
    target: float | None  # the error per hit that the tenant allows; None: the service's


def page(tenant: UUID, *, after: str | None = None, limit: int) -> Statement[Namespace]:
    """By their names. O(limit) along the primary key."""
    params = {"tenant": tenant, "after": after and bytes.fromhex(after), "one": None, "limit": limit}
    return Statement(_SQL["page"], params, _namespace)


def get(tenant: UUID, namespace: str) -> Statement[Namespace]:
    params = {"tenant": tenant, "after": None, "one": bytes.fromhex(namespace), "limit": 1}
    return Statement(_SQL["page"], params, _namespace)


def largest(tenant: UUID, *, limit: int) -> Statement[Namespace]:
    """Those with the most entries. Linear in the tenant's namespaces."""
    return Statement(_SQL["largest"], {"tenant": tenant, "limit": limit}, _namespace)


@dataclass(frozen=True, slots=True)
class Rules:
    """By what a tenant's kept answers are served for other questions. None: as the service says."""

    cache: KnownNamespace | None  # None: there is no such namespace
    guards: GuardPolicy | None
    floor: float | None
    max_error_rate: float | None


def rules(tenant: UUID, namespace: str | None) -> Statement[Rules]:
    """With what is known of a namespace, where one is named. No row: there is no such tenant."""
    params = {"tenant": tenant, "namespace": namespace and bytes.fromhex(namespace)}
    return Statement(_SQL["rules"], params, _rules)


def _rules(row: Row) -> Rules:
    return Rules(
        cache=known_namespace(row) if row["known"] else None,
        guards=None if row["cache_guards"] is None else GuardPolicy(row["cache_guards"]),
        floor=row["similarity_threshold"],
        max_error_rate=row["max_error_rate"],
    )


def _namespace(row: Row) -> Namespace:
    return Namespace(**row)


def states(tenant: UUID) -> Statement[tuple[State, int]]:
    """How many namespaces are in each state. Linear in the tenant's namespaces."""
    return Statement(_SQL["states"], {"tenant": tenant}, lambda row: (row["state"], row["namespaces"]))


def set_ttl(tenant: UUID, namespace: str, ttl_seconds: int | None, by: str) -> Statement[str]:
    """How long its answers are kept; None: as the tenant's others. No row: there is no such namespace.

    Answers that were kept before for longer go when they are as old, within a minute or two.
    """
    params = {"tenant": tenant, "namespace": bytes.fromhex(namespace), "ttl": ttl_seconds, "by": by}
    return Statement(_SQL["set_ttl"], params, lambda row: row["namespace"])


def drop_stale(tenant: UUID, namespace: str, *, limit: int) -> Statement[int]:
    """Delete up to `limit` answers older than the namespace allows; returns how many. `limit`: there may be more."""
    params = {"tenant": tenant, "namespace": bytes.fromhex(namespace), "limit": limit}
    return Statement(_SQL["drop_stale"], params, lambda row: row["entries"])
