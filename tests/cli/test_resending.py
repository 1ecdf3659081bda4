"""What is sent again because its answer was lost is done once."""

from collections.abc import Iterator

import pytest
from cli.live import Live, Network, living, losing
from conftest import Tenant

from aico.cli import client as module
from aico.cli.client import Refused
from aico.core.errors import InvalidInput
from aico.core.jobs import JobClass
from aico.core.settings import Settings
from aico.store.blocking import Database
from aico.store.dead_letters import Filter


@pytest.fixture
def live(settings: Settings, tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    with living(settings, tenant, database, monkeypatch) as found:
        yield found


@pytest.fixture
def network(live: Live) -> Iterator[Network]:
    with losing(live.url) as found:
        yield found


def test_a_submit_whose_answer_is_lost_makes_one_job(live: Live, network: Network) -> None:
    network.losses = 2
    with live.client(network.url) as client:
        job = client.submit({"prompt": "once"})
        assert [one["id"] for one in live.all_jobs()] == [job["id"]]
        assert (len(network.keys), len(set(network.keys))) == (3, 1)
        assert client.submit({"prompt": "once"})["id"] != job["id"]  # another call, another job


@pytest.mark.parametrize("key", ["mine", 'a "quoted" one', "back\\slash", '"', "x" * 255])
def test_the_callers_key_stands_for_the_job(live: Live, key: str) -> None:
    with live.client() as client:
        first = client.submit({"prompt": "once"}, idempotency_key=key)
        assert client.submit({"prompt": "once"}, idempotency_key=key)["id"] == first["id"]
        with pytest.raises(Refused, match="stands for another request"):
            client.submit({"prompt": "twice"}, idempotency_key=key)


def test_what_is_no_key_is_refused(live: Live) -> None:
    with live.client() as client:
        for key in ("caf\u00e9", "tab\t", "line\n", "\x7f"):
            with pytest.raises(InvalidInput, match="printable ASCII"):
                client.submit({"prompt": "no"}, idempotency_key=key)
        for key in ("", " x", "x ", "x" * 256):
            with pytest.raises(Refused) as refusal:
                client.submit({"prompt": "no"}, idempotency_key=key)
            assert (refusal.value.http_status, refusal.value.param) == (400, "Idempotency-Key")
    assert live.all_jobs() == []


def test_cancelling_and_replaying_survive_a_lost_answer(live: Live, network: Network) -> None:
    waiting, (dead,) = live.submit("to be cancelled"), live.dead(1)
    with live.client(network.url) as client:
        network.losses = 1
        assert client.cancel(waiting)["status"] == "cancelled"
        network.losses = 1
        with pytest.raises(Refused, match="replayed already") as refusal:
            client.replay(dead)
    assert refusal.value.http_status == 409
    assert [job.get("replay_of") for job in live.all_jobs()].count(dead) == 1


def test_pages_follow_one_another_up_to_the_limit(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE", 2)
    submitted = [live.submit(f"listed {number}") for number in range(5)]
    with live.client() as client:
        for limit, sizes, more in (
            (None, [2, 2, 1], False),
            (3, [2, 1], True),
            (4, [2, 2], True),
            (5, [2, 2, 1], False),
        ):
            pages = list(client.jobs(limit=limit))
            assert [len(page["data"]) for page in pages] == sizes
            assert [job["id"] for page in pages for job in page["data"]] == submitted[::-1][:limit]
            assert pages[-1]["has_more"] is more
        (page,) = client.jobs(job_class=JobClass.BATCH)
        assert page["data"] == []


def test_letters_are_replayed_some_at_a_time_up_to_the_limit(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE", 2)
    dead = live.dead(5)
    with live.client() as client:
        pages = [page["replayed"] for page in client.replay_letters(Filter(), 3)]
        assert [len(page) for page in pages] == [2, 1]
        assert [one["letter"] for page in pages for one in page] == dead[:3]
        rest = [one["letter"] for page in client.replay_letters(Filter(), 1000) for one in page["replayed"]]
    assert rest == dead[3:]
