"""Statements by which booked attempts are read page by page and given other prices."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.metering import closed_before
from aico.core.repricing import Booked, Charge, Correction
from aico.core.usage import Usage
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("repricing")
_COUNTED = ("input_uncached", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning", "tier", "batch")


@dataclass(frozen=True, slots=True)
class Selection:
    """Calls from `since` and before `until`; of one model by its id, or of all."""

    since: datetime
    until: datetime
    model: str | None = None
    unpriced_only: bool = False


def count(tenant: UUID, selected: Selection) -> Statement[int]:
    """How many calls are selected. O(attempts of the time)."""
    return Statement(_SQL["count"], {"tenant": tenant, **asdict(selected)}, lambda row: row["attempts"])


def page(tenant: UUID, selected: Selection, *, after: Booked | None, limit: int) -> Statement[Booked]:
    """The next selected calls after one of them, in the ledger's order."""
    place = {"after_at": None if after is None else after.at, "after_id": None if after is None else after.id}
    return Statement(_SQL["page"], {"tenant": tenant, **asdict(selected), **place, "limit": limit}, _booked)


def correct(tenant: UUID, run: UUID, by: str, corrections: Sequence[Correction]) -> Statement[int]:
    """Give these calls their new prices, in the ledger and its sums, and note what stood there. How many changed.

    What is reported to Stripe of days that are closed stays as it is.
    """
    changes = Jsonb([_change(one) for one in corrections])
    closed = closed_before(datetime.now(UTC))
    params = {"tenant": tenant, "run": run, "by": by, "changes": changes, "closed": closed}
    return Statement(_SQL["correct"], params, lambda row: row["changed"])


def _booked(row: Row) -> Booked:
    usage = Usage(**{name: row[name] for name in _COUNTED})
    charge = Charge(row["cost_cents"], row["price_version"], row["baseline_cost_cents"])
    return Booked(row["at"], row["id"], row["provider"], row["model"], usage, row["baseline_model"], charge)


def _change(one: Correction) -> dict[str, Any]:
    return {
        "at": one.booked.at.isoformat(),
        "id": str(one.booked.id),
        "cost_cents": _money(one.charge.cents),
        "price_version": one.charge.version,
        "baseline_cost_cents": _money(one.charge.baseline_cents),
    }


def _money(cents: Decimal | None) -> str | None:
    return None if cents is None else str(cents)
