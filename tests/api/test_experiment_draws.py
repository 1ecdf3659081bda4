"""What callers' jobs are drawn into while an experiment runs, by every process of the API."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import psycopg
import pytest
from api.conftest import Connect, serving, wait_until
from api.drafting import PATH, draft, owned, owner
from api.other_process import other_process
from conftest import Tenant

from aico.core.settings import Settings

__all__ = ["owned", "owner"]


@pytest.fixture
def assigned(admin: psycopg.Connection[Any]) -> Callable[..., dict[str, Any]]:
    def of(client: httpx2.Client, **body: Any) -> dict[str, Any]:
        """What a new job is drawn into."""
        job = client.post("/v1/jobs", json={"prompt": "who?", "cache": "off", **body})
        assert job.status_code == 202, job.text
        row = admin.execute("select assigned from public.jobs where id = %s", (job.json()["id"],)).fetchone()
        assert row is not None
        return dict(row[0] or {})

    return of


def test_jobs_are_drawn_by_what_they_leave_open(owner: httpx2.Client, assigned: Callable[..., dict[str, Any]]) -> None:
    made = draft(owner)
    owner.post(f"{PATH}/{made['id']}/start")
    drawn = [assigned(owner) for _ in range(20)]
    assert {tuple(one["arms"]) for one in drawn} == {(f"{made['id']}/as-it-is",), (f"{made['id']}/local",)}
    assert {str(one.get("treatment")) for one in drawn} == {"None", "{'model': 'smollm2-135m'}"}
    named = assigned(owner, model="smollm2-135m")  # an arm would change nothing for it
    assert named == {}


def test_a_callers_word_on_the_cache_counts_more_than_an_arms(
    owner: httpx2.Client, admin: psycopg.Connection[Any]
) -> None:
    made = draft(owner, arms=[{"name": name, "treatment": {"cache": "exact"}} for name in ("a", "b")])
    owner.post(f"{PATH}/{made['id']}/start")

    def mode(**said: str) -> str:
        job = owner.post("/v1/jobs", json={"prompt": "which?", **said}).json()["id"]
        row = admin.execute("select cache_mode from public.jobs where id = %s", (job,)).fetchone()
        assert row is not None
        return str(row[0])

    assert [mode(), mode(cache="off"), mode(cache="semantic")] == ["exact", "off", "semantic"]


def test_users_stay_in_their_arm_whatever_door_they_come_through(
    owner: httpx2.Client, admin: psycopg.Connection[Any], owned: Tenant
) -> None:
    made = draft(owner, unit="user", arms=[{"name": name} for name in "abcdefgh"])
    owner.post(f"{PATH}/{made['id']}/start")
    for number in range(3):
        user = f"user {number}"
        owner.post("/v1/jobs", json={"prompt": "hello", "cache": "off", "metadata": {"user": user}})
        for field in ("user", "safety_identifier"):
            owner.post("/v1/responses", json={"model": "auto", "input": "hello", "background": True, field: user})
    owner.post("/v1/jobs", json={"prompt": "hello", "cache": "off"})
    rows = admin.execute(
        "select assigned -> 'arms' ->> 0, assigned ->> 'user', count(*) from public.jobs"
        " where tenant_id = %s group by 1, 2",
        (owned.id,),
    ).fetchall()
    by_user = {user: (arm, count) for arm, user, count in rows if user is not None}
    assert [count for _, count in by_user.values()] == [3, 3, 3]
    assert [row for row in rows if row[1] is None] == [(None, None, 1)]


@pytest.fixture
def two_processes(base_settings: Settings) -> Iterator[tuple[str, str]]:
    """That would remember credentials for an hour."""
    patient = base_settings.model_copy(update={"api_key_cache_seconds": 3600.0})
    with serving(patient) as first, other_process(base_settings) as second:
        yield first, second


def test_a_start_and_a_stop_are_known_to_every_process(
    two_processes: tuple[str, str], connect: Connect, owned: Tenant, assigned: Callable[..., dict[str, Any]]
) -> None:
    first, second = (connect(url, owned.key) for url in two_processes)
    for _ in range(3):  # both remember the key once they hear
        assert assigned(first) == assigned(second) == {}
    made = draft(first)
    assert first.post(f"{PATH}/{made['id']}/start").status_code == 200
    assert assigned(first) != {}
    wait_until(lambda: assigned(second) != {})
    assert second.post(f"{PATH}/{made['id']}/stop").status_code == 200
    assert assigned(second) == {}
    wait_until(lambda: assigned(first) == {})
