"""What is known of a booked attempt when its price is looked up again, and what becomes of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from aico.core.usage import Usage


@dataclass(frozen=True, slots=True)
class Charge:
    """What an attempt costs and would have cost, in US cents of the ledger's resolution; None: unknown."""

    cents: Decimal | None
    version: str | None
    baseline_cents: Decimal | None


@dataclass(frozen=True, slots=True)
class Booked:
    """A call in the ledger. Its place in the tenant's is (at, id)."""

    at: datetime
    id: UUID
    provider: str
    model: str
    usage: Usage
    baseline_model: str | None
    charge: Charge


@dataclass(frozen=True, slots=True)
class Correction:
    booked: Booked
    charge: Charge
