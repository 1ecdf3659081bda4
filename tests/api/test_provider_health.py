"""`GET /providers` says how providers are: what the workers' breakers know, read from the Redis that they share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from api.conftest import DEAD_PORT, Connect, serving
from conftest import Tenant
from keys import ENCRYPTION_KEYS
from pydantic import SecretStr

from aico.core.keys import make_key
from aico.core.settings import Settings
from aico.embedded.ports import LOOPBACK
from aico.routing.breaker import RULES, Kind, Mark, scopes_of
from aico.routing.health import GOOD
from aico.routing.providers.credential import operator_keys
from aico.store import api_keys
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.workers.breakers import RedisBreaker

SECRETS = ("house.credential/first", "house.credential/second")
NANO, LARGE = "gpt-5.4-nano", "gpt-5.4"


@pytest.fixture(scope="module")
def settings_with_keys(base_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    catalogue = tmp_path_factory.mktemp("catalogue") / "catalogue.toml"
    catalogue.write_text(f'[[limits]]\nprovider = "openai"\nmodel = "{NANO}"\nrequests_per_minute = 60\n')
    return base_settings.model_copy(
        update={
            "openai_api_key": SecretStr(SECRETS[0]),
            "openai_api_keys": SecretStr(SECRETS[1]),
            "anthropic_gateway_url": "http://127.0.0.1:9/v1",
            "encryption_keys": SecretStr(ENCRYPTION_KEYS),
            "catalogue_file": catalogue,
        }
    )


@pytest.fixture(scope="module")
def address(settings_with_keys: Settings) -> Iterator[str]:
    with serving(settings_with_keys) as url:
        yield url


@pytest.fixture
def breaker(own_redis_url: str) -> Iterator[RedisBreaker]:
    with redis.Redis.from_url(own_redis_url, decode_responses=True) as client:
        for key in client.scan_iter("aico:health:*"):
            client.delete(key)
        yield RedisBreaker(client)


Look = Callable[[], dict[str, Any]]


@pytest.fixture
def look(connect: Connect, address: str, tenant: Tenant) -> Look:
    def openai() -> dict[str, Any]:
        response = connect(address, tenant.key).get("/providers")
        assert response.status_code == 200
        assert response.json()["health_known"] is True
        assert not any(secret in response.text for secret in SECRETS)
        (found,) = [one for one in response.json()["providers"] if one["name"] == "openai"]
        return dict(found)

    return openai


def say(
    breaker: RedisBreaker, settings: Settings, kind: Kind, *, key: int = 0, model: str = NANO, times: int = 1
) -> None:
    """So many calls with that key fail, by the fault of that scope."""
    account = operator_keys(settings)["openai"][key].id
    for _ in range(times):
        entry = breaker.enter(scopes_of("openai", model, account), 65.0)
        breaker.leave(entry, {**dict.fromkeys(Kind, Mark.NOTHING), kind: Mark.BAD}, "HTTP 503")


def succeed(breaker: RedisBreaker, settings: Settings, key: int = 0) -> None:
    account = operator_keys(settings)["openai"][key].id
    breaker.leave(breaker.enter(scopes_of("openai", NANO, account), 65.0), GOOD)


def test_before_the_first_call_a_provider_is_untried(look: Look, breaker: RedisBreaker) -> None:
    found = look()
    assert (found["health"], found["last_success_at"], found["unwell_models"]) == ("untried", None, [])
    assert [(key["number"], key["health"]) for key in found["keys"]] == [(1, "untried"), (2, "untried")]
    assert found["limits"] == [{"model": NANO, "requests_per_minute": 60, "tokens_per_minute": None}]
    assert found["batch_lane"] is True


def test_a_success_is_seen(look: Look, breaker: RedisBreaker, settings_with_keys: Settings) -> None:
    succeed(breaker, settings_with_keys)
    found = look()
    assert (found["health"], found["last_error"]) == ("healthy", None)
    assert found["last_success_at"] is not None
    assert [key["health"] for key in found["keys"]] == ["healthy", "untried"]


def test_a_sick_model_degrades_its_provider(look: Look, breaker: RedisBreaker, settings_with_keys: Settings) -> None:
    succeed(breaker, settings_with_keys)
    for key in (0, 1):
        say(breaker, settings_with_keys, Kind.MODEL, key=key, times=RULES[Kind.MODEL].run)
    found = look()
    assert (found["health"], found["last_error"]) == ("degraded", "HTTP 503")
    (model,) = found["unwell_models"]
    assert (model["model"], model["health"], model["last_error"]) == (NANO, "open", "HTTP 503")
    assert model["retry_at"] is not None


def test_a_refused_key_degrades_and_two_of_them_close(
    look: Look, breaker: RedisBreaker, settings_with_keys: Settings
) -> None:
    say(breaker, settings_with_keys, Kind.KEY)
    found = look()
    assert (found["health"], [key["health"] for key in found["keys"]]) == ("degraded", ["open", "untried"])
    say(breaker, settings_with_keys, Kind.KEY, key=1)
    assert look()["health"] == "open"


def test_a_provider_out_of_reach_is_open(look: Look, breaker: RedisBreaker, settings_with_keys: Settings) -> None:
    say(breaker, settings_with_keys, Kind.PROVIDER, times=RULES[Kind.PROVIDER].run)
    found = look()
    assert found["health"] == "open"
    assert found["retry_at"] is not None


def test_a_tenant_with_a_key_of_its_own_sees_how_that_is(
    connect: Connect,
    address: str,
    make_tenant: Callable[[], Tenant],
    database: Database,
    look: Look,
    breaker: RedisBreaker,
    settings_with_keys: Settings,
) -> None:
    say(breaker, settings_with_keys, Kind.KEY)
    say(breaker, settings_with_keys, Kind.KEY, key=1)
    assert look()["health"] == "open"
    tenant, key = make_tenant(), make_key("owner")
    scopes = ["settings:write", "prompts:read"]
    database.run(Scope.tenant(tenant.id), api_keys.create(tenant.id, key, scopes))
    owner = connect(address, key.secret.get_secret_value())
    put = owner.put("/v1/provider-keys/openai", json={"api_key": "house.credential/tenant"})
    assert put.status_code == 200
    (found,) = [one for one in owner.get("/providers").json()["providers"] if one["name"] == "openai"]
    assert (found["own_key"], found["health"], len(found["keys"])) == (True, "untried", 1)


def test_what_is_off_says_so(connect: Connect, address: str, tenant: Tenant) -> None:
    found = {one["name"]: one for one in connect(address, tenant.key).get("/providers").json()["providers"]}
    assert (found["cerebras"]["health"], found["cerebras"]["keys"]) == ("off", [])
    assert found["cerebras"]["batch_lane"] is False


def test_without_redis_nobody_knows_and_the_rest_is_told(
    connect: Connect, settings_with_keys: Settings, tenant: Tenant
) -> None:
    dead = SecretStr(f"redis://{LOOPBACK}:{DEAD_PORT}/0")
    with serving(settings_with_keys.model_copy(update={"redis_url": dead})) as url:
        response = connect(url, tenant.key).get("/providers")
    assert (response.status_code, response.json()["health_known"]) == (200, False)
    healths = {one["health"] for one in response.json()["providers"]}
    assert healths == {"off", "unknown"}
    assert response.json()["models"]
