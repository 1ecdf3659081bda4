"""Reports use to Stripe, and looks there anew for what an event may not have told. A thread in the sweeper's process.

Each report is written down before it is sent and marked afterwards. Between the two only its identifier is relied on:
whoever sends it again sends the same one.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from aico.billing.protocol import Gateway
from aico.core.billing import PriceList, Unit, standing
from aico.core.errors import Conflict, Unavailable
from aico.core.metering import closed_before, in_doubt, oldest
from aico.core.settings import Settings
from aico.store import billing, usage_reports
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.store.usage_reports import Report, Use

log = structlog.get_logger()

TICK_SECONDS = 60.0
METER_SECONDS = 3600.0
FRESH_SECONDS = 24 * 3600.0
EVENT_DAYS = 35  # Stripe tries for 3, and lets an operator send again for 30
BATCH = 100


class Biller:
    def __init__(
        self,
        database: Database,
        gateway: Gateway,
        settings: Settings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._prices = PriceList.of(settings.stripe_prices)
        self._grace_days = settings.billing_grace_days
        self._units = [unit for unit in Unit if gateway.meters(unit)]
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        """Once a minute until `stop`; an outage of Postgres or Stripe is waited for."""
        while not stop.is_set():
            try:
                self.step()
            except Unavailable as error:
                log.warning("billing_postponed", error=type(error).__name__)
            stop.wait(TICK_SECONDS)

    def step(self) -> None:
        system = Scope.system()
        stale = billing.to_sync(fresh_seconds=FRESH_SECONDS, grace_days=self._grace_days, limit=BATCH)
        for tenant in self._database.run(system, stale):
            self.sync(tenant)
        for tenant in self._database.run(system, usage_reports.to_meter(pause_seconds=METER_SECONDS, limit=BATCH)):
            self.report(tenant)
        while self._database.run(system, billing.purge_events(kept_days=EVENT_DAYS, limit=BATCH)) == [BATCH]:
            log.info("old_rows_purged", what="stripe_events", count=BATCH)

    def sync(self, tenant: UUID) -> None:
        """Raises Unavailable. What Stripe refuses is logged, and tried again a minute later."""
        scope = Scope.tenant(tenant)
        for look in self._database.run(scope, billing.begin_sync(tenant, None)):
            try:
                subscriptions = self._gateway.subscriptions(look.customer)
            except Conflict as refusal:
                log.warning("billing_sync_refused", tenant_id=str(tenant), reason=refusal.detail)
                return
            grace = timedelta(days=self._grace_days)
            found = standing(subscriptions, self._prices, look.before, now=self._clock(), grace=grace)
            self._database.run(scope, billing.apply(tenant, look, found, None))

    def unreported(self, tenant: UUID) -> list[Use]:
        """What `report` would write down now."""
        now = self._clock()
        statement = usage_reports.due(tenant, self._units, oldest=oldest(now), closed=closed_before(now))
        return self._database.run(Scope.tenant(tenant), statement)

    def report(self, tenant: UUID) -> int:
        """Write down what has been used, and send what is written down. Returns how many reports Stripe has taken."""
        now, scope = self._clock(), Scope.tenant(tenant)
        use = usage_reports.write_down(tenant, self._units, oldest=oldest(now), closed=closed_before(now))
        self._database.run(scope, use)
        written = self._database.run(scope, usage_reports.unsent(tenant))
        return sum(self._send(tenant, report, now) for report in written if report.unit in self._units)

    def _send(self, tenant: UUID, report: Report, now: datetime) -> bool:
        scope = Scope.tenant(tenant)
        if in_doubt(report.tried_at, now) or report.day < oldest(now):
            log.error("usage_report_in_doubt", identifier=report.identifier)
            return False
        self._database.run(scope, usage_reports.tried(tenant, report.identifier))
        try:
            self._gateway.report(report)
        except Conflict as refusal:
            log.warning("usage_report_refused", identifier=report.identifier, reason=refusal.detail)
            return False
        self._database.run(scope, usage_reports.sent(tenant, report.identifier))
        return True
