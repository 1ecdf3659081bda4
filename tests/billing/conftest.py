"""A tenant that subscribes, its booked use, and a Stripe on this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import psycopg
import pytest
from billing.stripe_server import StripeServer, stripe_server
from conftest import Postgres, Tenant
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from aico.billing.factory import load_gateway
from aico.billing.protocol import Gateway
from aico.core.attempts import Attempt
from aico.core.ids import new_id
from aico.core.settings import Settings
from aico.store import billing, ledger
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.workers.billing import Biller


@pytest.fixture
def stripe_there() -> Iterator[StripeServer]:
    with stripe_server() as server:
        yield server


@pytest.fixture
def billing_settings(settings: Settings, stripe_there: StripeServer) -> Settings:
    return settings.model_copy(
        update={
            "stripe_api_key": SecretStr("sk_test_1234567890"),
            "stripe_api_base": stripe_there.url,
            "stripe_prices": ("pro:price_pro", "business:price_business"),
            "stripe_meter_events": ("tokens:aico_tokens", "cents:aico_cents"),
        }
    )


@pytest.fixture
def gateway(billing_settings: Settings) -> Gateway:
    loaded = load_gateway(billing_settings)
    assert loaded is not None
    return loaded


@dataclass(frozen=True)
class Books:
    """What the recorder would have booked for a tenant."""

    tenant: Tenant
    customer: str
    admin: psycopg.Connection[Any]
    database: Database

    def book(self, day: date, *, tokens: int, cents: str = "0", kind: str = "call") -> None:
        self.admin.execute(
            "insert into public.rollups as r (tenant_id, grain, bucket, kind, provider, model, input_tokens,"
            " output_tokens, cost_cents) values (%s, 'day', %s, %s, 'p', 'm', %s, 0, %s)"
            " on conflict (tenant_id, grain, bucket, kind, provider, model) do update set"
            " input_tokens = r.input_tokens + excluded.input_tokens, cost_cents = r.cost_cents + excluded.cost_cents",
            (self.tenant.id, datetime.combine(day, time(), UTC), kind, tokens, cents),
        )

    def meter(self, *attempts: Attempt) -> None:
        """As the recorder books what a job was charged for."""
        job = new_id()
        events = [ledger.event_row(self.tenant.id, job, None, one) for one in attempts]
        self.admin.execute(
            "insert into public.ledger_outbox select * from jsonb_populate_recordset(null::public.ledger_outbox, %s)",
            (Jsonb(events),),
        )
        scope = Scope.tenant(self.tenant.id)
        assert self.database.run(scope, ledger.book([self.tenant.id], [job])) == [len(attempts)]

    def metered(self, since: date, until: date | None = None) -> None:
        self.admin.execute(
            "update public.billing_accounts set metered_from = %s, metered_until = %s where tenant_id = %s",
            (since, until, self.tenant.id),
        )

    def reports(self) -> list[tuple[Any, ...]]:
        """Day, unit, part, quantity and whether it was sent."""
        return self.admin.execute(
            "select day, unit, part, quantity, sent_at is not null from public.usage_reports where tenant_id = %s"
            " order by 1, 2, 3",
            (self.tenant.id,),
        ).fetchall()


@pytest.fixture
def books(database: Database, gateway: Gateway, tenant: Tenant, postgres: Postgres) -> Iterator[Books]:
    customer = gateway.create_customer(tenant.id, "a customer")
    database.run(Scope.tenant(tenant.id), billing.open_account(tenant.id, customer, "operator"))
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        yield Books(tenant, customer, admin, database)


@dataclass
class Clock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 20, 2, tzinfo=UTC))


@pytest.fixture
def biller(database: Database, gateway: Gateway, billing_settings: Settings, clock: Clock) -> Biller:
    return Biller(database, gateway, billing_settings, clock)
