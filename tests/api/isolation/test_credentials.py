"""What a credential says of a tenant counts for nothing: whose it is, the database says."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from api.conftest import Connect, assert_problem, serving
from api.isolation.conftest import Sides
from api.project import SECRET, Project, hs256, publishing
from conftest import Postgres, Tenant, new_tenant
from pydantic import SecretStr

from aico.api.auth import Authenticator, Newcomers
from aico.api.credentials import Credentials
from aico.api.key_uses import KeyUses
from aico.api.tokens import TokenVerifier
from aico.core.errors import Unauthorized
from aico.core.keys import KEY_PREFIX, make_key
from aico.core.plans import Plan
from aico.core.settings import Settings
from aico.store.aio import AsyncDatabase
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.store.statement import Statement

pytestmark = pytest.mark.usefixtures("untouched")


def test_a_key_opens_its_own_tenant_whatever_else_is_named(sides: Sides) -> None:
    owner, api = sides.owner, sides.intruder.api
    own = api.get("/v1/jobs").json()
    for named in (str(owner.tenant.id), str(owner.tenant.id).upper(), "' or true --", "*", ""):
        answer = api.get("/v1/jobs", headers={"X-Tenant-Id": named})
        assert answer.status_code == 403 or answer.json() == own
        assert [mark for mark in owner.marks if mark in answer.text and mark != named] == []
    for name in ("tenant", "tenant_id", "org_id", "X-Tenant-Id"):
        assert api.get("/v1/jobs", params={name: str(owner.tenant.id)}).json() == own


def test_part_of_a_key_opens_nothing(sides: Sides, connect: Connect) -> None:
    key = sides.owner.tenant.key
    spoilt = [
        key[:-1],
        key[: len(KEY_PREFIX) + 6],
        KEY_PREFIX,
        key + "A",
        key[:-1] + ("A" if key[-1] != "A" else "B"),
        key.upper(),
        key[: len(KEY_PREFIX) + 6] + "%",
        key.replace(KEY_PREFIX, "aico_test_"),
        f"{KEY_PREFIX}{sides.owner.tenant.key_id}",
        f"{KEY_PREFIX}' or true --",
    ]
    refusals = {
        assert_problem(connect(sides.address, one).get("/v1/jobs"), 401)["detail"]
        for one in spoilt
        if one.startswith(KEY_PREFIX)
    }
    assert refusals == {"the API key is not valid"}
    for one in spoilt:
        assert connect(sides.address, one).get("/v1/jobs").status_code == 401


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    with publishing() as made:
        yield made


@pytest.fixture(scope="module")
def with_tokens(base_settings: Settings, project: Project) -> Iterator[str]:
    update = {"supabase_url": project.url, "supabase_jwt_secret": SecretStr(SECRET)}
    with serving(base_settings.model_copy(update=update)) as url:
        yield url


Member = Callable[[Tenant], UUID]


@pytest.fixture
def member(admin: "psycopg.Connection[Any]") -> Member:
    def make(tenant: Tenant) -> UUID:
        user = uuid4()
        admin.execute("insert into auth.users (id) values (%s)", (user,))
        admin.execute("insert into public.members values (%s, %s, 'member')", (tenant.id, user))
        return user

    return make


def test_claims_of_a_tenant_in_a_token_count_for_nothing(
    sides: Sides, connect: Connect, with_tokens: str, project: Project, member: Member, database: Database
) -> None:
    """Not even rightly signed ones, which a hook of the project may add, or the user, to the own metadata."""
    wanted, own = str(sides.owner.tenant.id), new_tenant(database)
    claims: dict[str, Any] = {
        "tenant_id": wanted,
        "org_id": wanted,
        "app_metadata": {"tenant_id": wanted, "tenants": [wanted], "role": "owner"},
        "user_metadata": {"tenant_id": wanted, "role": "owner"},
        "aico.tenants": wanted,
    }
    token = hs256(project.claims(member(own), **claims))
    job = connect(with_tokens, token).post("/v1/jobs", json={"prompt": "mine"}).raise_for_status().json()["id"]
    assert [one["id"] for one in connect(with_tokens, token).get("/v1/jobs").json()["data"]] == [job]
    refused = connect(with_tokens, token, **{"X-Tenant-Id": wanted}).get("/v1/jobs")
    assert_problem(refused, 403, "forbidden")
    stranger = hs256(project.claims(uuid4(), **claims))
    assert_problem(connect(with_tokens, stranger, **{"X-Tenant-Id": wanted}).get("/v1/jobs"), 403, "forbidden")


class Watched(AsyncDatabase):
    """Writes down what is asked of it."""

    def __init__(self, url: str) -> None:
        super().__init__(url, max_size=1)
        self.asked: list[tuple[Scope, str]] = []

    async def run_each(self, work: Any) -> Any:
        self.asked += [(scope, statement.sql) for scope, statement in work]
        return await super().run_each(work)

    async def run(self, scope: Scope, statement: Statement[Any]) -> Any:
        return (await self.run_each([(scope, statement)]))[0]


def test_an_unknown_key_costs_the_same_work_as_a_known_one(
    postgres: Postgres, base_settings: Settings, admin: "psycopg.Connection[Any]", tenant: Tenant
) -> None:
    """The same statements, so that the time tells nothing either."""
    revoked, expired = _dead_key(admin, tenant, revoked=True), _dead_key(admin, tenant, revoked=False)
    unknown = make_key("nobody's").secret.get_secret_value()
    keys = [tenant.key, unknown, revoked, expired, unknown[:-20], KEY_PREFIX]

    async def asked_for(key: str) -> list[tuple[Scope, str]]:
        database = Watched(postgres.url)
        await database.open()
        try:
            newcomers = Newcomers(welcome=False, plan=Plan.FREE)
            authenticator = Authenticator(
                database, TokenVerifier(base_settings), KeyUses(database), newcomers, lambda: None, 0
            )
            for _ in range(2):  # what nobody knows is not remembered as that either
                try:
                    await authenticator.principal(Credentials(key, None))
                except Unauthorized as error:
                    assert str(error) == "the API key is not valid"  # noqa: PT017 - a known key raises nothing
        finally:
            await database.close()
        return database.asked

    known, *others = [asyncio.run(asked_for(key)) for key in keys]
    assert len(known) >= 2
    assert others == [known] * len(others)


def _dead_key(admin: "psycopg.Connection[Any]", tenant: Tenant, *, revoked: bool) -> str:
    """A key of the tenant's whose time is over."""
    key, past = make_key("dead"), datetime.now(UTC) - timedelta(hours=1)
    admin.execute(
        "insert into public.api_keys (id, tenant_id, name, prefix, hash, revoked_at, expires_at)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        (key.id, tenant.id, key.name, key.prefix, key.hash, *((past, None) if revoked else (None, past))),
    )
    return key.secret.get_secret_value()
