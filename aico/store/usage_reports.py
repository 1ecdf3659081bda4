"""Statements about reports of use: written down first, then sent, then marked."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from aico.core.billing import Unit
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("usage_reports")


def to_meter(*, pause_seconds: float, limit: int) -> Statement[UUID]:
    """Tenants whose use has not been counted for so long."""
    params = {"pause": pause_seconds, "limit": limit}
    return Statement(_SQL["to_meter"], params, lambda row: row["tenant"])


@dataclass(frozen=True, slots=True)
class Use:
    day: date
    unit: Unit
    quantity: int


def due(tenant: UUID, units: Iterable[Unit], *, oldest: date, closed: date) -> Statement[Use]:
    """What `write_down` would write."""
    return Statement(_SQL["due"], _use(tenant, units, oldest, closed), _use_row)


def _use_row(row: Row) -> Use:
    return Use(row["day"], Unit(row["unit"]), row["quantity"])


def write_down(tenant: UUID, units: Iterable[Unit], *, oldest: date, closed: date) -> Statement[None]:
    """Use of the days from `oldest` and before `closed` that no report holds. Two at the same time write it once."""
    return Statement(_SQL["write_down"], _use(tenant, units, oldest, closed), no_row)


def _use(tenant: UUID, units: Iterable[Unit], oldest: date, closed: date) -> dict[str, object]:
    return {"tenant": tenant, "units": [unit.value for unit in units], "oldest": oldest, "closed": closed}


@dataclass(frozen=True, slots=True)
class Report:
    day: date
    unit: Unit
    part: int
    quantity: int
    identifier: str
    tried_at: datetime | None
    customer: str


def unsent(tenant: UUID) -> Statement[Report]:
    """Oldest day first."""
    return Statement(_SQL["unsent"], {"tenant": tenant}, _report)


def _report(row: Row) -> Report:
    return Report(**{**row, "unit": Unit(row["unit"])})


def tried(tenant: UUID, identifier: str) -> Statement[None]:
    """Written before a report is sent for the first time."""
    return Statement(_SQL["tried"], {"tenant": tenant, "identifier": identifier}, no_row)


def sent(tenant: UUID, identifier: str) -> Statement[None]:
    return Statement(_SQL["sent"], {"tenant": tenant, "identifier": identifier}, no_row)


def settle(tenant: UUID, identifier: str, actor: str, *, arrived: bool) -> Statement[str]:
    """Somebody has looked whether a report in doubt had arrived. If not, it is sent again. No row: there is none."""
    params = {"tenant": tenant, "identifier": identifier, "actor": actor, "arrived": arrived}
    return Statement(_SQL["settle"], params, lambda row: row["identifier"])
