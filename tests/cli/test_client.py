"""The client rides out restarts and passes refusals on."""

from collections.abc import Iterator

import pytest
from cli.conftest import KEY, FakeApi

from aico.cli.client import Client, Refused
from aico.core.errors import Unauthorized, Unavailable
from aico.core.settings import Settings


@pytest.fixture
def client(fake_api: FakeApi) -> Iterator[Client]:
    with Client(fake_api.url, KEY, patience_seconds=10) as made:
        yield made


def test_it_tries_again_while_the_service_restarts(fake_api: FakeApi, client: Client) -> None:
    fake_api.statuses = [503, 502, 429]
    assert client.submit({"prompt": "patience"})["status"] == "queued"
    assert fake_api.submitted == {"patience": 1}
    fake_api.statuses = [504]
    assert client.wait("job-0")["answer"]["text"] == "PATIENCE"


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422, 500])
def test_a_refusal_is_final_and_says_why(fake_api: FakeApi, client: Client, status: int) -> None:
    fake_api.statuses = [status, 503]
    with pytest.raises(Refused, match="not now") as refusal:
        client.submit({"prompt": "no"})
    assert refusal.value.http_status == status
    assert fake_api.statuses == [503]  # asked once


def test_patience_ends(fake_api: FakeApi) -> None:
    fake_api.dies_after = 0
    with (
        Client(fake_api.url, KEY, patience_seconds=0.2) as client,
        pytest.raises(Unavailable, match="aico up"),
    ):
        client.submit({"prompt": "nobody"})


def test_health_is_asked_once_and_without_a_key(fake_api: FakeApi) -> None:
    with Client(fake_api.url, patience_seconds=3600) as client:
        assert client.health() == {"status": "ok"}
        fake_api.dies_after = 0
        with pytest.raises(Unavailable):
            client.health()
    assert fake_api.keys == {None}


def test_without_a_key_it_says_how_to_get_one(settings: Settings) -> None:
    with pytest.raises(Unauthorized, match="AICO_API_KEY"):
        Client.from_settings(settings.model_copy(update={"aico_api_key": None}))
