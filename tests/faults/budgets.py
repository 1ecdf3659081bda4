"""Quotas with room for everything, and what they counted held against the ledger."""

from collections.abc import Sequence
from decimal import Decimal

from conftest import Tenant
from faults.world import World

from aico.core.quotas import TENANT_SCOPE, Period, Quota, Source, Unit
from aico.store import quotas
from aico.store.blocking import Database
from aico.store.scope import Scope

ROOM = Decimal(10) ** 12
_IN_THE_LEDGER = (
    "select count(*) filter (where outcome = 'ok') as requests,"
    " coalesce(sum(input_uncached + cache_read + cache_write + output), 0) as tokens,"
    " coalesce(sum(cost_cents), 0) as cents from ledger_attempts where tenant_id = %s and kind = 'call'"
)
_COUNTED = (
    "select unit, sum(used) as used, sum(reserved) as reserved from quota_windows where tenant_id = %s group by unit"
)


def limit(world: World, tenant: Tenant) -> None:
    """In every unit; nothing is refused, and everything is counted."""
    database = Database(world.environment["DATABASE_URL"], max_size=1)
    database.open()
    for unit in Unit:
        quota = Quota(TENANT_SCOPE, Period.DAY, unit)
        database.run(Scope.tenant(tenant.id), quotas.put(tenant.id, quota, ROOM, Source.OPERATOR, "operator"))
    database.close()


def off_the_ledger(world: World, tenants: Sequence[Tenant]) -> list[str]:
    """What is still reserved, and what was counted otherwise than it was booked. To be asked when all has ended."""
    wrong = []
    for tenant in tenants:
        (booked,) = world.ask(_IN_THE_LEDGER, [tenant.id])
        for counted in world.ask(_COUNTED, [tenant.id]):
            expected = (booked[counted["unit"]], 0)
            if (counted["used"], counted["reserved"]) != expected:
                wrong.append(f"{counted['unit']}: {counted['used']}, {counted['reserved']} and not {expected}")
    return wrong
