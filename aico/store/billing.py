"""Statements about billing accounts, and about what a tenant has spent and saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.billing import Standing
from aico.core.plans import Plan
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("billing")


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant, and what is known of it at Stripe."""

    name: str
    tenant_plan: Plan | None  # what it has, whoever granted it
    customer: str | None  # None: it has never been there
    standing: Standing


def account(tenant: UUID) -> Statement[Account]:
    return Statement(_SQL["account"], {"tenant": tenant}, _account)


def _account(row: Row) -> Account:
    return Account(row["name"], _plan(row["tenant_plan"]), row["stripe_customer_id"], _standing(row))


def _standing(row: Row) -> Standing:
    return Standing(
        status=row["status"],
        subscription=row["subscription_id"],
        plan=_plan(row["plan"]),
        period_start=row["period_start"],
        period_end=row["period_end"],
        cancel_at_period_end=bool(row["cancel_at_period_end"]),
        overdue_since=row["overdue_since"],
    )


def _plan(name: str | None) -> Plan | None:
    return None if name is None else Plan(name)


def tenant_of(customer: str) -> Statement[UUID | None]:
    """None: nobody's here."""
    return Statement(_SQL["tenant_of"], {"customer": customer}, lambda row: row["tenant"])


def open_account(tenant: UUID, customer: str, actor: str) -> Statement[None]:
    """Changes nothing where there is one already."""
    return Statement(_SQL["open_account"], {"tenant": tenant, "customer": customer, "actor": actor}, no_row)


def record_visit(tenant: UUID, actor: str, action: str, detail: Mapping[str, str]) -> Statement[None]:
    """Someone was sent to a page of Stripe's."""
    params = {"tenant": tenant, "actor": actor, "action": action, "detail": Jsonb(dict(detail))}
    return Statement(_SQL["record_visit"], params, no_row)


@dataclass(frozen=True, slots=True)
class Look:
    """A look at Stripe that has begun. Of two, the one that began later knows all that the other could have known."""

    asked: int
    customer: str
    before: Standing


@dataclass(frozen=True, slots=True)
class Event:
    """Word from Stripe that something has changed at a customer's; not what."""

    id: str
    type: str
    customer: str | None


def begin_sync(tenant: UUID, event: Event | None) -> Statement[Look]:
    """No row when the event has been acted upon, or the tenant has no account."""
    params = {"tenant": tenant, "event": event and event.id}
    return Statement(
        _SQL["begin_sync"], params, lambda row: Look(row["asked"], row["stripe_customer_id"], _standing(row))
    )


def apply(tenant: UUID, look: Look, found: Standing, event: Event | None) -> Statement[Plan | None]:
    """Write what a look has found: the account, the tenant's plan where it changes, and the audit log, at once.

    No row when a later look has been written already. The event counts as acted upon in either case.
    """
    params: dict[str, Any] = {
        "tenant": tenant,
        "asked": look.asked,
        "event": event and event.id,
        "event_type": event and event.type,
        "subscription": found.subscription,
        "status": found.status,
        "plan": found.plan,
        "period_start": found.period_start,
        "period_end": found.period_end,
        "cancel_at_period_end": found.cancel_at_period_end,
        "overdue_since": found.overdue_since,
    }
    return Statement(_SQL["apply"], params, lambda row: _plan(row["plan"]))


def to_sync(*, fresh_seconds: float, grace_days: int, limit: int) -> Statement[UUID]:
    """Tenants to be looked at anew, in case an event was lost, or because their time to pay is over."""
    params = {"fresh": fresh_seconds, "grace_days": grace_days, "limit": limit}
    return Statement(_SQL["to_sync"], params, lambda row: row["tenant"])


@dataclass(frozen=True, slots=True)
class State:
    status: str | None
    plan: str | None
    accounts: int
    unsent: int  # reports of use


def states() -> Statement[State]:
    return Statement(_SQL["states"], {}, lambda row: State(**row))


def purge_events(*, kept_days: int, limit: int) -> Statement[int]:
    return Statement(_SQL["purge_events"], {"kept": kept_days, "limit": limit}, lambda row: row["purged"])
