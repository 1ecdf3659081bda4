"""`aico webhooks` against the real API: the key decides whose endpoints they are."""

import json
import re
from collections.abc import Iterator
from uuid import UUID

import pytest
from api.conftest import serving
from cli.conftest import Aico
from conftest import Tenant

from aico.core.ids import new_id
from aico.core.settings import Settings
from aico.store import webhooks
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.store.webhooks import DeliveryStatus, Outcome

URL = "https://hooks.example.com/a"
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(autouse=True)
def api(settings: Settings, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A running API, and a key of a tenant of its own in the environment."""
    with serving(settings) as url:
        monkeypatch.setenv("COST_OPTIMIZER_API_URL", url)
        monkeypatch.setenv("AICO_API_KEY", tenant.key)
        yield


def add(aico: Aico, *options: str) -> tuple[str, str]:
    """An endpoint's id and its secret."""
    added = aico("webhooks", "add", URL, *options)
    found = ID.search(added.err)
    assert (added.code, found is not None) == (0, True)
    assert found is not None
    return found[0], added.out.strip()


def test_an_endpoints_secret_is_printed_alone_and_once(aico: Aico) -> None:
    endpoint, secret = add(aico, "--event", "job.failed", "--description", "the [b]pager[/b]")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/=]{44}", secret)
    listed = aico("webhooks", "ls")
    for text in (endpoint, URL, "job.failed", "enabled"):
        assert text in listed.out
    shown = aico("webhooks", "show", endpoint)
    assert json.loads(shown.out)["description"] == "the [b]pager[/b]"
    assert json.loads(aico("webhooks", "ls", "--json").out) == {"data": [json.loads(shown.out)]}
    assert secret not in listed.out + shown.out + listed.err + shown.err


def test_a_removed_endpoint_is_gone(aico: Aico) -> None:
    endpoint, _ = add(aico)
    assert aico("webhooks", "rm", endpoint).code == 0
    assert URL not in aico("webhooks", "ls").out
    again = aico("webhooks", "rm", endpoint)
    assert (again.code, again.out) == (1, "")
    assert f"there is no webhook endpoint {endpoint}" in again.err.replace("\n", " ")


def test_an_endpoint_is_disabled_and_enabled(aico: Aico) -> None:
    endpoint, _ = add(aico)
    assert aico("webhooks", "disable", endpoint).code == 0
    assert json.loads(aico("webhooks", "show", endpoint).out)["disabled_reason"] == "on request"
    assert aico("webhooks", "test", endpoint).code == 1
    assert aico("webhooks", "enable", endpoint).code == 0
    assert json.loads(aico("webhooks", "show", endpoint).out)["enabled"]


def test_a_rotated_secret_is_printed_alone(aico: Aico, tenant: Tenant, database: Database) -> None:
    endpoint, old = add(aico)
    rotated = aico("webhooks", "rotate", endpoint, "--overlap", "60")
    new = rotated.out.strip()
    assert (rotated.code, new.startswith("whsec_"), new != old) == (0, True, True)
    delivery = UUID(aico("webhooks", "test", endpoint).out.strip())
    (held,) = database.run(Scope.tenant(tenant.id), webhooks.claim(tenant.id, delivery, 60))
    assert [secret.get_secret_value() for secret in held.secrets] == [new, old]


def test_a_test_event_is_followed_and_sent_again(aico: Aico, tenant: Tenant, database: Database) -> None:
    endpoint, _ = add(aico)
    delivery = aico("webhooks", "test", endpoint).out.strip()
    scope = Scope.tenant(tenant.id)
    (held,) = database.run(scope, webhooks.claim(tenant.id, UUID(delivery), 60))
    failed = Outcome(DeliveryStatus.FAILED, 404, "the endpoint answered 404")
    database.run(scope, webhooks.settle(tenant.id, held, failed))
    listed = aico("webhooks", "deliveries", endpoint, "--status", "failed")
    for text in (delivery, "webhook.test", "failed", "404"):
        assert text in listed.out
    assert delivery not in aico("webhooks", "deliveries", endpoint, "--status", "pending").out
    shown = json.loads(aico("webhooks", "show", endpoint, delivery).out)
    assert (shown["payload"]["type"], [attempt["http_status"] for attempt in shown["log"]]) == ("webhook.test", [404])
    assert aico("webhooks", "redeliver", endpoint, delivery).code == 0
    page = json.loads(aico("webhooks", "deliveries", endpoint, "--json").out)
    assert [one["status"] for one in page["data"]] == ["pending"]


def test_the_log_says_how_to_read_on(aico: Aico) -> None:
    endpoint, _ = add(aico)
    older, newer = (aico("webhooks", "test", endpoint).out.strip() for _ in range(2))
    first = aico("webhooks", "deliveries", endpoint, "--limit", "1")
    assert f"--after {newer}" in first.err
    assert older in aico("webhooks", "deliveries", endpoint, "--after", newer).out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("http://hooks.example.com/",), "https://"),
        (("https://127.0.0.1/",), "not a public address"),
        ((URL, "--event", "job.started"), "there is no event 'job.started'"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(aico: Aico, arguments: tuple[str, ...], reason: str) -> None:
    outcome = aico("webhooks", "add", *arguments)
    assert (outcome.code, outcome.out) == (1, "")
    assert reason in outcome.err.replace("\n", " ")
    assert json.loads(aico("webhooks", "ls", "--json").out) == {"data": []}


@pytest.mark.parametrize("command", ["show", "rm", "rotate", "test", "deliveries", "enable", "disable"])
def test_what_is_not_there_is_a_plain_error(aico: Aico, command: str) -> None:
    outcome = aico("webhooks", command, str(new_id()))
    assert (outcome.code, outcome.out) == (1, "")
    assert "there is no webhook endpoint" in outcome.err.replace("\n", " ")
