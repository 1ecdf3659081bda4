"""What the routes work with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar, cast

import redis.asyncio
from argon2 import PasswordHasher
from pydantic import SecretStr
from starlette.requests import Request

from aico.embedded.auth.files import Files
from aico.embedded.auth.limits import Limiter, Limits
from aico.embedded.auth.passwords import Passwords
from aico.embedded.auth.refusals import Refusal
from aico.embedded.auth.signing import SigningKeys
from aico.store.aio import AsyncDatabase
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.workers.budgets import Budgets

T = TypeVar("T")

_REDIS_PATIENCE_SECONDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    url: str  # of the whole server, as clients know it: SUPABASE_URL
    database_url: SecretStr  # as the role aico_auth
    redis_url: SecretStr
    files: Files
    signup: bool = False
    origins: tuple[str, ...] = ()
    reuse_grace_seconds: float = 10  # in which a used refresh token may come again: two tabs, or a lost answer
    limits: Limits = field(default_factory=Limits)
    hasher: PasswordHasher = field(default_factory=PasswordHasher)


@dataclass(frozen=True, slots=True)
class Services:
    config: Config
    keys: SigningKeys
    passwords: Passwords
    limiter: Limiter
    database: AsyncDatabase
    refresh_key: SecretStr

    async def rows(self, statement: Statement[T]) -> list[T]:
        return await self.database.run(Scope.accounts(), statement)

    async def row(self, statement: Statement[T]) -> T | None:
        found = await self.rows(statement)
        return found[0] if found else None


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Services]:
    database = AsyncDatabase(config.database_url.get_secret_value(), application="aico-auth")
    broker = redis.asyncio.Redis.from_url(
        config.redis_url.get_secret_value(),
        socket_timeout=_REDIS_PATIENCE_SECONDS,
        socket_connect_timeout=_REDIS_PATIENCE_SECONDS,
    )
    passwords = Passwords(config.hasher)
    await database.open()
    try:
        yield Services(
            config,
            SigningKeys(config.files.signing_keys, f"{config.url}/auth/v1"),
            passwords,
            Limiter(Budgets(broker), config.limits),
            database,
            config.files.refresh_key,
        )
    finally:
        await database.close()
        await broker.aclose()
        passwords.close()


def services_of(request: Request) -> Services:
    return cast("Services", request.state.services)


def address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def bearer_of(request: Request) -> str | None:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" and credential.strip() else None


def require_admin(request: Request) -> None:
    """The secret key, and nobody's access token beside it. Raises Refusal."""
    secret = request.state.secret_key
    if secret is None or bearer_of(request) not in {None, secret}:
        raise Refusal(HTTPStatus.FORBIDDEN, "not_admin", "User not allowed")
