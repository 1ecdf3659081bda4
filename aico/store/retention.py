"""Statements about how long a tenant's data is kept."""

from dataclasses import asdict, dataclass
from uuid import UUID

from aico.store.statement import Statement, named_sql, no_row

_SQL = named_sql("retention")


@dataclass(frozen=True, slots=True)
class Retention:
    """Days; None: as long as the service keeps it."""

    jobs: int | None = None
    cache: int | None = None
    ledger: int | None = None
    files: int | None = None
    deliveries: int | None = None


def get(tenant: UUID) -> Statement[Retention]:
    """No row: the tenant has said nothing."""
    return Statement(_SQL["get"], {"tenant": tenant}, lambda row: Retention(**row))


def put(tenant: UUID, kept: Retention, actor: str) -> Statement[None]:
    return Statement(_SQL["put"], {"tenant": tenant, "actor": actor, **asdict(kept)}, no_row)


def purge_ledger_bodies(*, kept_days: int, limit: int) -> Statement[int]:
    """Take from up to `limit` old attempts what providers said beside the figures; returns how many there were."""
    params = {"days": kept_days, "limit": limit}
    return Statement(_SQL["purge_ledger_bodies"], params, lambda row: row["purged"])
