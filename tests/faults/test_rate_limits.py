"""A provider's limit, kept to by two workers together."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGTERM

import pytest
from faults.load import request_of
from faults.provider import STEADY, Bucket, Outcome
from faults.world import World, wait_until

from aico.routing.pacing import BURST_SECONDS
from aico.workers.heartbeat import pattern

PER_SECOND = 5  # the 300 a minute of the catalogue
SLACK_SECONDS = 2.0  # calls that were let go one after another may arrive closer together
JOBS = 75
FIRST = 10_000


@contextmanager
def second_route_worker(world: World) -> Iterator[None]:
    argv = [sys.executable, "-m", "aico.cli.main", "worker", "route"]
    with (world.running.state_dir / "second.log").open("wb") as log:
        environment = {**os.environ, **world.environment}
        worker = subprocess.Popen(argv, stdout=log, stderr=log, env=environment, cwd=world.running.state_dir)
    try:
        with world.redis() as client:
            wait_until(lambda: len(client.keys(pattern("route"))) == 2, "two route workers")
        yield
    finally:
        worker.send_signal(SIGTERM)
        worker.wait()


@pytest.mark.timeout(180)
def test_two_workers_keep_to_one_limit(calm_world: World) -> None:
    provider, tenant = calm_world.provider, calm_world.tenant("limited")
    numbers = range(FIRST, FIRST + JOBS)
    with second_route_worker(calm_world), calm_world.client(tenant) as client:
        provider.bucket = Bucket((BURST_SECONDS + SLACK_SECONDS) * PER_SECOND, PER_SECOND)
        asked = [{**request_of(number), "cache": "off", "model": STEADY, "class": "standard"} for number in numbers]
        jobs = [client.submit(request)["id"] for request in asked]
        ended = [client.wait(job) for job in jobs]
        provider.bucket = None
    assert {(job["status"], job["routing"]["model"]) for job in ended} == {("completed", STEADY)}
    calls = provider.of(numbers)
    assert [call for call in calls if call.outcome is not Outcome.ANSWERED] == []
    assert len(calls) == JOBS
