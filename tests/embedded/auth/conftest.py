"""The stand-in for Supabase Auth on a real Postgres and a real Valkey, with a hash that costs little."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
from api.conftest import serving_app
from argon2 import PasswordHasher
from conftest import Postgres
from pydantic import SecretStr

from aico.embedded.auth.app import create_app
from aico.embedded.auth.files import Files
from aico.embedded.auth.limits import Limits
from aico.embedded.auth.services import Config
from aico.embedded.auth.signing import ensure_keys
from aico.store.migrate import let_in
from aico.store.scope import ACCOUNTS

PASSWORD = "correct horse battery"
OTHER_PASSWORD = "staple of a wrong horse"
UNLIMITED = Limits(*[10_000_000] * 5)
OWN_REDIS_DATABASE = "8"
_DATABASE_PASSWORD = "accounts"


@dataclass(frozen=True)
class Project:
    """A running server, with what a program of its owner knows."""

    url: str
    files: Files

    @property
    def publishable(self) -> str:
        return self.files.publishable_key.get_secret_value()

    @property
    def secret(self) -> str:
        return self.files.secret_key.get_secret_value()

    def http(self, key: str | None = None, **headers: str) -> httpx2.Client:
        sent = {"apikey": key or self.publishable, **headers}
        return httpx2.Client(base_url=f"{self.url}/auth/v1", headers=sent, timeout=20, verify=False)

    def admin(self) -> httpx2.Client:
        return self.http(self.secret, Authorization=f"Bearer {self.secret}")

    def new_user(self, **attributes: Any) -> dict[str, Any]:
        """Somebody with a confirmed email and PASSWORD, where nothing else is said."""
        wanted = {"email": new_email(), "password": PASSWORD, "email_confirm": True, **attributes}
        with self.admin() as admin:
            user: dict[str, Any] = admin.post("/admin/users", json=wanted).raise_for_status().json()
        return user

    def sign_in(self, email: str, password: str = PASSWORD) -> httpx2.Response:
        with self.http() as http:
            return http.post("/token?grant_type=password", json={"email": email, "password": password})

    def refresh(self, token: str) -> httpx2.Response:
        with self.http() as http:
            return http.post("/token?grant_type=refresh_token", json={"refresh_token": token})


def new_email() -> str:
    return f"{uuid4().hex}@example.com"


ServeAuth = Callable[..., AbstractContextManager[Project]]


@pytest.fixture(scope="session")
def auth_config(postgres: Postgres, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Config:
    let_in(postgres.admin_url, ACCOUNTS, _DATABASE_PASSWORD)
    files = Files.under(tmp_path_factory.mktemp("auth"))
    ensure_keys(files.signing_keys)
    place = postgres.url.rpartition("@")[2]
    return Config(
        url="",
        database_url=SecretStr(f"postgresql://{ACCOUNTS}:{_DATABASE_PASSWORD}@{place}"),
        redis_url=SecretStr(f"{redis_url.rpartition('/')[0]}/{OWN_REDIS_DATABASE}"),
        files=files,
        limits=UNLIMITED,
        hasher=PasswordHasher(time_cost=1, memory_cost=64, parallelism=1),
    )


@pytest.fixture(scope="session")
def serve_auth(auth_config: Config) -> ServeAuth:
    """A server of its own, with these changes of its configuration."""

    @contextmanager
    def serving(**changes: Any) -> Iterator[Project]:
        config = replace(auth_config, **changes)
        with serving_app(lambda url: create_app(replace(config, url=url))) as url:
            yield Project(url, config.files)

    return serving


@pytest.fixture(scope="session")
def project(serve_auth: ServeAuth) -> Iterator[Project]:
    with serve_auth() as running:
        yield running


@pytest.fixture(scope="session")
def open_project(serve_auth: ServeAuth) -> Iterator[Project]:
    """Where people may sign up themselves."""
    with serve_auth(signup=True) as running:
        yield running


@pytest.fixture
def user(project: Project) -> dict[str, Any]:
    return project.new_user()


@pytest.fixture
def admin_database(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def own_files(tmp_path: Path) -> Files:
    """Keys of this test alone."""
    files = Files.under(tmp_path)
    ensure_keys(files.signing_keys)
    return files
