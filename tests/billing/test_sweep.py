"""The sweeper's process bills where a key is set."""

import threading

import pytest
import redis
from billing.conftest import Books
from billing.stripe_server import StripeServer

from aico.core.settings import Settings
from aico.store.blocking import Database
from aico.workers import sweep
from aico.workers.runtime import Runtime


def test_the_sweeper_looks_at_stripe_beside_its_other_work(
    books: Books,
    billing_settings: Settings,
    stripe_there: StripeServer,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stripe_there.subscribe(books.customer, "price_pro")
    books.admin.execute(
        "update public.billing_accounts set synced_at = now() - interval '2 days' where tenant_id = %s",
        (books.tenant.id,),
    )
    looked = threading.Event()
    stripe_there.on_list = looked.set
    url = f"{billing_settings.redis_url.get_secret_value().rpartition('/')[0]}/9"
    with redis.Redis.from_url(url, decode_responses=True) as client:
        monkeypatch.setattr(sweep, "get_runtime", lambda: Runtime(billing_settings, database, client))
        stop = threading.Event()
        sweeping = threading.Thread(target=sweep.main, args=(stop,))
        sweeping.start()
        try:
            assert looked.wait(20)
        finally:
            stop.set()
            sweeping.join()
    found = books.admin.execute("select plan from public.tenants where id = %s", (books.tenant.id,)).fetchone()
    assert found == ("pro",)
