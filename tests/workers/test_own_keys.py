"""Jobs of tenants that bring their own provider keys: the real route worker, and a provider that looks at keys."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from builders import new_job
from conftest import Postgres, Tenant
from keys import ENCRYPTION_KEYS, KEYS, bring
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import SecretStr
from workers.provider_server import Server, serving

from aico.core.envelope import LocalKeys
from aico.core.jobs import CacheMode, Job, JobStatus
from aico.routing.models import RateLimit
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store import jobs, ledger, provider_keys
from aico.store.provider_keys import TenantKey
from aico.store.scope import Scope
from aico.workers import keyring, route
from aico.workers.keyring import Keyring
from aico.workers.leases import Leases
from aico.workers.pacing import RedisPacer
from aico.workers.router import Router
from aico.workers.runtime import Runtime

# Of no shape that anything knows, so that only what is known of the call itself keeps it from being told.
OPERATORS, OWN, OTHER = "house.credential/operator", "house.credential/tenant-a", "house.credential/tenant-b"


@dataclass
class Scene:
    runtime: Runtime
    server: Server
    admin: psycopg.Connection[dict[str, Any]]

    def run(self, tenant: Tenant, prompt: str, model: str = "auto") -> Job:
        job = new_job(prompt, mode=CacheMode.OFF)
        job.request["model"] = model
        scope = Scope.tenant(tenant.id)
        self.runtime.database.run(scope, jobs.submit(tenant.id, [job]))
        route.route.run(str(tenant.id), str(job.id))
        (ended,) = self.runtime.database.run(scope, jobs.get(tenant.id, job.id))
        return ended

    def bring(self, tenant: Tenant, secret: str, provider: str = "openai") -> None:
        bring(self.runtime.database, tenant.id, provider, secret)

    def sources(self, tenant: Tenant) -> list[tuple[str, str]]:
        query = "select provider, key_source from ledger_outbox where tenant_id = %s order by at"
        return [(row["provider"], row["key_source"]) for row in self.admin.execute(query, (tenant.id,))]


Play = Callable[..., Scene]


@pytest.fixture
def play(runtime: Runtime, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """A worker whose OpenAI is a stand-in, with an operator's key or without; nothing else can be called."""
    held = Leases(runtime)
    held.start()
    routers: list[Router] = []
    with serving() as server, psycopg.connect(postgres.admin_url, autocommit=True, row_factory=dict_row) as admin:

        def make(operators: str | None = OPERATORS, **changes: Any) -> Scene:
            settings = runtime.settings.model_copy(
                update={
                    "local_model_url": None,
                    "openai_api_key": operators and SecretStr(operators),
                    "openai_gateway_url": server.url,
                    "encryption_keys": SecretStr(ENCRYPTION_KEYS),
                    "retry_base_seconds": 0.01,
                    **changes,
                }
            )
            router = Router(settings, ComplexityStrategy())
            routers.append(router)
            monkeypatch.setattr(route, "router", lambda: router)
            return Scene(runtime, server, admin)

        monkeypatch.setattr(route, "get_runtime", lambda: runtime)
        monkeypatch.setattr(route, "leases", lambda: held)
        yield make
        held.stop()
        for router in routers:
            router.close()


def test_a_tenants_key_reaches_the_provider_for_its_own_jobs_and_for_nobody_elses(
    play: Play, make_tenant: Callable[[], Tenant]
) -> None:
    scene, first, second, third = play(), make_tenant(), make_tenant(), make_tenant()
    scene.bring(first, OWN)
    scene.bring(second, OTHER)
    for tenant in (first, second, third, first):
        assert scene.run(tenant, "What is the capital of France?").status is JobStatus.COMPLETED
    assert scene.server.keys == [OWN, OTHER, OPERATORS, OWN]
    assert scene.sources(first) == [("openai", "tenant")] * 2
    assert scene.sources(third) == [("openai", "operator")]


def test_the_ledger_keeps_whose_key_it_was(play: Play, tenant: Tenant) -> None:
    scene = play()
    scene.bring(tenant, OWN)
    job = scene.run(tenant, "booked")
    assert scene.runtime.database.run(Scope.tenant(tenant.id), ledger.book([tenant.id], [job.id])) == [1]
    rows = scene.admin.execute("select key_source from ledger_attempts where tenant_id = %s", (tenant.id,)).fetchall()
    assert [row["key_source"] for row in rows] == ["tenant"]


def test_a_provider_that_the_operator_has_not_is_there_for_the_tenant_that_brings_a_key(
    play: Play, make_tenant: Callable[[], Tenant]
) -> None:
    scene, with_key, without = play(operators=None), make_tenant(), make_tenant()
    scene.bring(with_key, OWN)
    for model in ("auto", "gpt-5.4-nano"):
        assert scene.run(with_key, f"ask {model}", model).status is JobStatus.COMPLETED
        refused = scene.run(without, f"ask {model}", model)
        assert refused.status is JobStatus.FAILED
        assert refused.error is not None
        assert refused.error.code in {"no_provider", "invalid_input"}
    assert scene.server.keys == [OWN, OWN]


def test_another_key_is_used_at_once_and_a_deleted_one_never_again(play: Play, tenant: Tenant) -> None:
    scene = play()
    for secret in (OWN, OTHER):
        scene.bring(tenant, secret)
        scene.run(tenant, "which key?")
    removed = provider_keys.remove(tenant.id, "openai", "operator")
    assert len(scene.runtime.database.run(Scope.tenant(tenant.id), removed)) == 1
    scene.run(tenant, "with the operator's again")
    assert scene.server.keys == [OWN, OTHER, OPERATORS]


def test_a_refused_key_is_not_replaced_by_the_operators_and_is_told_nowhere(
    play: Play, tenant: Tenant, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    scene = play()
    scene.server.refused = {OWN}
    scene.bring(tenant, OWN)
    job = scene.run(tenant, "with a revoked key", "gpt-5.4-nano")
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert "refused the tenant's own key, and the operator's is not used instead: HTTP 401" in job.error.message
    assert set(scene.server.keys) == {OWN}
    assert {source for _, source in scene.sources(tenant)} == {"tenant"}
    printed = capfd.readouterr()
    logged = printed.out + printed.err + caplog.text  # wherever tests before this one have sent the log
    assert "job_ended" in logged
    told = [*everything_stored(scene.admin), job.model_dump_json(), logged]
    for piece in (OWN, OWN[:20], OWN[8:]):  # whole, cut off at the end, cut off at the beginning
        assert not [text for text in told if piece in text]


_BYTES = re.compile(r"\\x((?:[0-9a-f]{2})+)", re.ASCII)


def everything_stored(admin: psycopg.Connection[dict[str, Any]]) -> Iterator[str]:
    """Each row of each public table as text, and its bytes as text too."""
    tables = admin.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
    ).fetchall()
    assert len(tables) > 20
    for table in tables:
        name = sql.Identifier("public", table["relname"])
        for row in admin.execute(sql.SQL("select t::text as line from {} t").format(name)):
            yield row["line"]
            yield from (bytes.fromhex(found).decode("latin-1") for found in _BYTES.findall(row["line"]))


def test_the_next_candidate_answers_where_a_tenants_key_is_refused(play: Play, tenant: Tenant) -> None:
    with serving() as local:
        scene = play(local_model_url=local.url)
        scene.server.refused = {OWN}
        scene.bring(tenant, OWN)
        job = scene.run(tenant, "fall back", "auto:quality")
        assert job.status is JobStatus.COMPLETED
        assert job.routing is not None
        assert job.routing.provider == "local"
        assert set(scene.server.keys) == {OWN}
        assert local.keys == [None]
        local.replies = [(400, "not this one", "")]
        failed = scene.run(tenant, "nobody can", "auto:quality")
        assert failed.error is not None
        assert failed.error.message.startswith("HTTP 400: server_error: not this one; before that, openai refused")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("update provider_keys set ciphertext = overlay(ciphertext placing '\\x00'::bytea from 3) where {}", "changed"),
        ("update provider_keys set wrapped_key = sha256(wrapped_key) || '\\x0000000000000000' where {}", "not wrapped"),
        ("update provider_keys set kek_id = 'gone' where {}", "'gone' is not configured"),
    ],
)
def test_a_key_that_cannot_be_read_fails_the_job_and_nothing_is_called(
    play: Play, tenant: Tenant, spoil: str, said: str
) -> None:
    scene = play()
    scene.bring(tenant, OWN)
    assert scene.run(tenant, "before").status is JobStatus.COMPLETED  # it is remembered, and of no use after that
    scene.admin.execute(spoil.format(f"tenant_id = '{tenant.id}'").encode())
    job = scene.run(tenant, "after", "gpt-5.4-nano")
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert "cannot be read, and the operator's is not used instead" in job.error.message
    assert said in job.error.message
    assert scene.server.keys == [OWN]
    assert scene.sources(tenant) == [("openai", "tenant")] * len(scene.sources(tenant))


def test_the_envelope_of_another_tenant_opens_nothing(play: Play, make_tenant: Callable[[], Tenant]) -> None:
    scene, first, second = play(), make_tenant(), make_tenant()
    scene.bring(first, OWN)
    scene.bring(second, OTHER)
    scene.admin.execute(
        "update provider_keys k set kek_id = o.kek_id, wrapped_key = o.wrapped_key, nonce = o.nonce,"
        " ciphertext = o.ciphertext from provider_keys o where k.tenant_id = %s and o.tenant_id = %s",
        (second.id, first.id),
    )
    job = scene.run(second, "with somebody else's", "gpt-5.4-nano")
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert "belongs elsewhere" in job.error.message
    assert scene.server.asked == 0


def test_a_worker_without_encryption_does_not_use_the_operators_key_instead(play: Play, tenant: Tenant) -> None:
    scene = play(encryption_keys=None)
    scene.bring(tenant, OWN)
    job = scene.run(tenant, "no key here", "gpt-5.4-nano")
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert "no key to decrypt it with" in job.error.message
    assert scene.server.asked == 0


def test_one_tenants_refusals_hold_up_nobody_else(play: Play, make_tenant: Callable[[], Tenant]) -> None:
    scene, busy, calm, plain = play(), make_tenant(), make_tenant(), make_tenant()
    limits = [RateLimit(provider="openai", requests_per_minute=6000)]
    route.router()._dispatcher._pacer = RedisPacer(scene.runtime.redis, limits)
    scene.bring(busy, OWN)
    scene.bring(calm, OTHER)
    scene.server.replies = [(429, "slow down", ""), (200, "Paris.", "stop")]
    scene.server.headers = {"Retry-After": "60"}
    held = scene.run(busy, "too much", "gpt-5.4-nano")
    assert (held.status, held.history[-1].reason) == (JobStatus.QUEUED, "rate_limited")
    assert scene.run(busy, "too early", "gpt-5.4-nano").status is JobStatus.QUEUED
    for tenant in (calm, plain):
        assert scene.run(tenant, "meanwhile", "gpt-5.4-nano").status is JobStatus.COMPLETED
    assert scene.server.keys == [OWN, OTHER, OPERATORS]


def tenant_key(tenant: Tenant, database: Any, secret: str) -> TenantKey:
    listed = bring(database, tenant.id, "openai", secret)
    (key,) = database.run(Scope.tenant(tenant.id), provider_keys.sealed([provider_keys.StaleKey(tenant.id, listed.id)]))
    found: TenantKey = key
    return found


def test_a_decrypted_key_is_remembered_for_a_minute_and_not_for_ever(runtime: Runtime, tenant: Tenant) -> None:
    class Counted(LocalKeys):
        asked = 0

        def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
            self.asked += 1
            return super().unwrap(key_id, wrapped)

    keys = Counted({"test": b"k" * 32})
    times = iter((0.0, 59.0, 60.0, 119.0, 121.0))
    ring = Keyring(keys, lambda: next(times))
    key = tenant_key(tenant, runtime.database, OWN)
    for _ in range(4):
        assert ring.open(key).api_key.get_secret_value() == OWN
    assert OWN not in repr(ring.open(key))
    assert keys.asked == 3


def test_remembered_keys_are_bounded(runtime: Runtime, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "_KEPT", 2)
    ring = Keyring(KEYS)
    for number in range(5):
        ring.open(tenant_key(tenant, runtime.database, f"{OWN}{number}"))
        assert len(ring._known) <= 2
