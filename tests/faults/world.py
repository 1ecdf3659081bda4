"""The running product together with the world around it: its provider, its receiver of webhooks, its owner's view."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import redis
from acceptance.conftest import Running, stack
from conftest import Tenant
from dotenv import dotenv_values
from faults.provider import MODELS, Provider, providing
from faults.receiver import Receiver, receiving
from psycopg.rows import dict_row

from aico.cli.client import Client
from aico.core.ids import new_id
from aico.core.keys import make_key
from aico.embedded.postgres import PostgresServer
from aico.routing.providers.profiles import PROFILES
from aico.store import api_keys, tenants
from aico.store.blocking import Database
from aico.store.scope import Scope

_PATIENCE_SECONDS = 60
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class World:
    running: Running
    provider: Provider
    receiver: Receiver
    hook_url: str
    environment: Mapping[str, str]  # of every process of the product

    def tenant(self, name: str) -> Tenant:
        """A new tenant with a key."""
        return self.tenants(name, 1)[0]

    def tenants(self, name: str, count: int) -> list[Tenant]:
        return new_tenants(self.environment["DATABASE_URL"], name, count)

    def client(self, tenant: Tenant) -> Client:
        return Client(self.running.url, tenant.key, patience_seconds=_PATIENCE_SECONDS)

    def tell_about(self, tenant: Tenant) -> None:
        """Register the receiver for all the tenant's events."""
        with self.client(tenant) as client:
            client.request("POST", "/v1/webhooks", json={"url": self.hook_url})

    def owner(self) -> "psycopg.Connection[dict[str, Any]]":
        """The owner of the database, whom row level security does not bind."""
        return owner(self.running, self.environment["DATABASE_URL"])

    def ask(self, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        with self.owner() as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.running.redis_url)

    def part(self, name: str) -> Any:
        """The process of this name, once the supervisor has started it."""
        found: list[Any] = []

        def there() -> bool:
            try:
                found.append(self.running.part(name))
            except LookupError:
                return False
            return True

        wait_until(there, f"a process of {name}")
        return found[0]

    def history_of(self, tenant: UUID) -> list[str]:
        """Why jobs of the tenant were put back or taken over, one word for each time."""
        found = self.ask(
            "select line ->> 'reason' as reason from jobs, jsonb_array_elements(history) line where tenant_id = %s",
            [tenant],
        )
        return [row["reason"] for row in found]


def new_tenants(database_url: str, name: str, count: int) -> list[Tenant]:
    database = Database(database_url, max_size=1)
    database.open()
    made = [(new_id(), make_key("test")) for _ in range(count)]
    for tenant, key in made:
        scope = Scope.tenant(tenant)
        database.run(scope, tenants.create(tenant, f"{name} {tenant}"))
        database.run(scope, api_keys.create(tenant, key))
    database.close()
    return [Tenant(tenant, key.secret.get_secret_value(), key.id) for tenant, key in made]


def owner(running: Running, database_url: str) -> "psycopg.Connection[dict[str, Any]]":
    """The superuser of a running product's database, whom row level security does not bind."""
    server = PostgresServer(running.state_dir, urlsplit(database_url).port or 0)
    return psycopg.connect(server.superuser_url.get_secret_value(), autocommit=True, row_factory=dict_row)


def wait_until(holds: Callable[[], bool], what: str, seconds: float = _PATIENCE_SECONDS) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(_LOOK_SECONDS)


@contextmanager
def world(folder: Path, settings: Mapping[str, str], limits: str = "") -> Iterator[World]:
    """The product with `settings` as its environment, and `limits` as a part of its catalogue, in TOML."""
    with providing() as (provider, provider_url), receiving() as (receiver, hook_url):
        folder.mkdir()
        catalogue = folder / "catalogue.toml"
        catalogue.write_text(_prices() + limits)
        environment = {
            **{profile.key_field.upper(): "" for profile in PROFILES if profile.key_field},
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "OPENAI_COMPATIBLE_URL": provider_url,
            "OPENAI_COMPATIBLE_MODELS": ",".join(MODELS),
            "CATALOGUE_FILE": str(catalogue),
            "WEBHOOK_ALLOW_PRIVATE": "true",
            **settings,
        }
        with stack(folder / "stack", "--no-flower", "--no-local-model", environment=environment) as running:
            written = {name: value or "" for name, value in dotenv_values(running.state_dir / "stack.env").items()}
            everything = {**environment, **written, "STATE_DIR": str(running.state_dir)}
            yield World(running, provider, receiver, hook_url, everything)


def _prices() -> str:
    return "".join(
        f'[[prices]]\nprovider = "openai_compatible"\nmodel = "{model}"\nfrom = 2020-01-01\n'
        f'input = "{dollars}"\noutput = "{dollars}"\n'
        for dollars, model in enumerate(MODELS, start=1)
    )
