"""Kill every part of the running product, one after another, under load. Nothing accepted may be lost."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import PARTS, Running, stack
from aico.cli.client import Client

PROMPTS = 400
CALLERS = 8
SECONDS_BETWEEN_KILLS = 2.0


def ask(client: Client, number: int) -> dict[str, Any]:
    job = client.submit({"prompt": f"What is {number} plus {number}?", "class": "standard"})
    return client.wait(job["id"])


def kill_every_part(running: Running) -> None:
    for name in PARTS:
        time.sleep(SECONDS_BETWEEN_KILLS)
        running.part(name).kill()


def costs_once_booked(client: Client) -> dict[str, Any]:
    give_up = time.monotonic() + 30
    while (costs := client.costs(1))["pending_events"] and time.monotonic() < give_up:
        time.sleep(0.2)
    return costs


@pytest.mark.timeout(240)
def test_no_accepted_job_is_lost_whatever_is_killed(tmp_path: Path) -> None:
    with (
        stack(tmp_path / "stack", "--no-flower") as running,
        running.client() as client,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        ended: list[dict[str, Any]] = []
        with ThreadPoolExecutor(1) as other:
            killing = other.submit(kill_every_part, running)
            while len(ended) < PROMPTS or not killing.done():
                numbers = range(len(ended), len(ended) + CALLERS * 4)
                ended += pool.map(lambda number: ask(client, number), numbers)
            killing.result()
        costs = costs_once_booked(client)
    sent = len(ended)
    assert Counter(job["status"] for job in ended) == {"completed": sent}
    assert len({job["id"] for job in ended}) == sent
    assert costs["pending_events"] == 0
    # A submit whose reply was lost with the API is sent again, so a few more jobs than prompts may have been answered.
    assert sent <= sum(row["answered"] for row in costs["rows"]) <= sent + CALLERS
