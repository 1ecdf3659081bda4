"""The stand-in for Supabase Realtime beside that for Auth, on a real Postgres, with two tenants and people of each."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from api.conftest import serving_app
from argon2 import PasswordHasher
from conftest import Postgres, new_tenant
from embedded.auth.conftest import UNLIMITED, Project
from pydantic import SecretStr

from aico.embedded.auth.app import create_app
from aico.embedded.auth.files import Files
from aico.embedded.auth.services import Config as AuthConfig
from aico.embedded.auth.signing import ensure_keys
from aico.embedded.realtime.limits import MAX_FRAME
from aico.embedded.realtime.server import Config, Realtime
from aico.embedded.realtime.transport import WebSockets
from aico.store.blocking import Database
from aico.store.migrate import let_in
from aico.store.scope import ACCOUNTS, REALTIME

_PASSWORDS = {ACCOUNTS: "accounts", REALTIME: "realtime"}


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    id: UUID
    email: str
    token: str
    tenant: UUID

    @property
    def topic(self) -> str:
        return f"tenant:{self.tenant}:metrics"


@dataclass(frozen=True)
class Live:
    """A running project, the database behind it, and the server itself."""

    project: Project
    database: psycopg.Connection[Any]
    realtime: Realtime

    @property
    def url(self) -> str:
        return self.project.url

    @property
    def socket(self) -> str:
        return f"ws{self.url.removeprefix('http')}/realtime/v1/websocket"

    def join(self, tenant: UUID, role: str = "member") -> Person:
        user = self.project.new_user()
        token = self.project.sign_in(user["email"]).json()["access_token"]
        self.database.execute(
            "insert into public.members (tenant_id, user_id, role) values (%s, %s, %s)", (tenant, user["id"], role)
        )
        return Person(UUID(user["id"]), user["email"], token, tenant)

    def send(self, topic: str, payload: dict[str, Any], *, event: str = "tick", private: bool = True) -> None:
        self.database.execute("select realtime.send(%s, %s, %s, %s)", (json.dumps(payload), event, topic, private))

    def alert(self, tenant: UUID, occasion: str, *, kind: str = "spend.anomaly") -> None:
        self.database.execute(
            "insert into public.alerts (tenant_id, kind, occasion, detail) values (%s, %s, %s, '{\"spent\": 1.50}')",
            (tenant, kind, occasion),
        )


Serve = Callable[..., AbstractContextManager[Live]]


def let_in_all(admin_url: str) -> None:
    for role, password in _PASSWORDS.items():
        let_in(admin_url, role, password)


@pytest.fixture(scope="session")
def live_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    files = Files.under(tmp_path_factory.mktemp("live"))
    ensure_keys(files.signing_keys)
    return files


@pytest.fixture(scope="session")
def serve_live(postgres: Postgres, redis_url: str, live_files: Files) -> Serve:
    """A server of its own, with these changes of its configuration."""
    let_in_all(postgres.admin_url)

    @contextmanager
    def serving(admin_url: str = postgres.admin_url, *, port: int = 0, **changes: Any) -> Iterator[Live]:
        place = admin_url.rpartition("@")[2]
        urls = {role: SecretStr(f"postgresql://{role}:{password}@{place}") for role, password in _PASSWORDS.items()}
        accounts = AuthConfig(
            url="",
            database_url=urls[ACCOUNTS],
            redis_url=SecretStr(f"{redis_url.rpartition('/')[0]}/8"),
            files=live_files,
            limits=UNLIMITED,
            hasher=PasswordHasher(time_cost=1, memory_cost=64, parallelism=1),
        )
        config = Config(url="", database_url=urls[REALTIME], files=live_files)
        made: list[Realtime] = []

        def make(url: str) -> Any:
            made.append(Realtime(replace(config, url=url, **changes)))
            return create_app(replace(accounts, url=url), made[0])

        sockets = {"ws": WebSockets, "ws_max_size": MAX_FRAME, "ws_per_message_deflate": False}
        with (
            psycopg.connect(admin_url, autocommit=True) as database,
            serving_app(make, port=port, **sockets) as url,
        ):
            yield Live(Project(url, live_files), database, made[0])

    return serving


@pytest.fixture(scope="session")
def live(serve_live: Serve) -> Iterator[Live]:
    with serve_live() as running:
        yield running


@pytest.fixture
def ann(live: Live, database: Database) -> Person:
    return live.join(new_tenant(database).id)


@pytest.fixture
def bob(live: Live, database: Database) -> Person:
    """Of another tenant."""
    return live.join(new_tenant(database).id)


MODULES = Path(__file__).parents[3] / ".venv" / "third-party" / "node"
