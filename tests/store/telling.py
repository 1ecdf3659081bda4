"""The steps that lead to a delivery, in the database alone."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from builders import completed, new_job
from conftest import Tenant

from aico.core.ids import new_id
from aico.core.jobs import CacheMode
from aico.store import claims, jobs, webhooks
from aico.store.blocking import Database
from aico.store.claims import Ended, Ending
from aico.store.scope import Scope
from aico.store.webhooks import Delivery, DeliveryStatus, Outcome

Connection = psycopg.Connection[dict[str, Any]]
DELIVERED = Outcome(DeliveryStatus.DELIVERED, 200)


def add(database: Database, tenant: Tenant, *events: str, url: str = "https://hooks.test/a") -> UUID:
    endpoint = new_id()
    statement = webhooks.add(tenant.id, endpoint, url, webhooks.make_secret(), events)
    database.run(Scope.tenant(tenant.id), statement)
    return endpoint


def store(database: Database, tenant: Tenant, *, timeout_seconds: float = 600) -> UUID:
    job = new_job("tell me", mode=CacheMode.OFF, timeout_seconds=timeout_seconds)
    database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [job]))
    return job.id


def end(database: Database, tenant: Tenant, *endings: Ending) -> list[Ended]:
    return database.run(Scope.tenant(tenant.id), claims.finish(tenant.id, endings, 60))


def end_one(database: Database, tenant: Tenant) -> list[UUID]:
    """The deliveries of a job that ended."""
    (ended,) = end(database, tenant, completed(store(database, tenant), 0))
    return ended.deliveries


def change(database: Database, tenant: Tenant, endpoint: UUID, *, enabled: bool) -> None:
    changes = [webhooks.change(tenant.id, endpoint, enabled=enabled), webhooks.release(tenant.id, endpoint)]
    database.run_each([(Scope.tenant(tenant.id), statement) for statement in changes])


def claim(database: Database, tenant: Tenant, deliveries: Sequence[UUID], lease: float = 60) -> list[Delivery]:
    scope = Scope.tenant(tenant.id)
    claimed = database.run_each([(scope, webhooks.claim(tenant.id, delivery, lease)) for delivery in deliveries])
    return [delivery for found in claimed for delivery in found]


def settle(database: Database, tenant: Tenant, delivery: Delivery, outcome: Outcome) -> list[UUID]:
    return database.run(Scope.tenant(tenant.id), webhooks.settle(tenant.id, delivery, outcome))


def due(database: Database, quiet: float = 0) -> list[UUID]:
    return [row.delivery for row in database.run(Scope.system(), webhooks.due(quiet_seconds=quiet, limit=10_000))]


def rows(admin: Connection, tenant: Tenant) -> list[dict[str, Any]]:
    query = "select * from public.webhook_deliveries where tenant_id = %s order by event, endpoint_id"
    return admin.execute(query, (tenant.id,)).fetchall()
