"""A worker's process: it stops when told to, with or without its tasks, and leaves when it no longer hears."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import redis
import structlog
from celery import Celery
from conftest import Postgres
from workers.patience import BEGAN, ENDED, INTERRUPTING, RELEASED, WOUND_DOWN

from aico.core.jobs import JobClass
from aico.workers import process
from aico.workers.app import WORKERS
from aico.workers.health import alive
from aico.workers.heartbeat import Activity
from aico.workers.process import EXIT_DEAF, EXIT_UNFINISHED, Shutdown, Watchdog
from aico.workers.queue import TaskName, pushes, to_route
from aico.workers.runtime import Runtime

OWN_REDIS_DATABASE = "9"
PATIENCE_SECONDS = 30
TESTS = Path(__file__).parent.parent


def wait_until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            pytest.fail("the condition was not met in time")
        time.sleep(0.02)


@dataclass(frozen=True)
class Worker:
    process: "subprocess.Popen[bytes]"
    broker: redis.Redis
    url: str

    def ring(self) -> UUID:
        job = uuid4()
        for queue, messages in pushes([to_route(uuid4(), job, JobClass.INTERACTIVE)]).items():
            self.broker.lpush(queue, *messages)
        return job

    def begin(self) -> UUID:
        job = self.ring()
        wait_until(lambda: str(job) in self.noted(BEGAN))
        return job

    def noted(self, what: str) -> list[str]:
        return [str(entry) for entry in self.broker.lrange(what, 0, -1)]

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)


Start = Callable[..., Worker]


@pytest.fixture
def start(postgres: Postgres, redis_url: str, tmp_path: Path) -> Iterator[Start]:
    url = f"{redis_url.rpartition('/')[0]}/{OWN_REDIS_DATABASE}"
    started: list[Worker] = []
    with redis.Redis.from_url(url, decode_responses=True) as broker, (tmp_path / "log").open("wb") as log:
        broker.flushdb()

        def make(*, grace: float = 20, deaf: float = 60, threads: int = 2) -> Worker:
            environment = {
                **os.environ,
                "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}",
                "DATABASE_URL": postgres.url,
                "REDIS_URL": url,
                "STOP_GRACE_SECONDS": str(grace),
                "ROUTE_CONCURRENCY": str(threads),
            }
            argv = [sys.executable, "-c", "from workers.patient_worker import main; main()", str(deaf)]
            process = subprocess.Popen(argv, stdout=log, stderr=log, env=environment, cwd=tmp_path)
            started.append(Worker(process, broker, url))
            wait_until(lambda: alive(broker, "route") or process.poll() is not None)
            assert process.poll() is None, (tmp_path / "log").read_text(errors="replace")
            return started[-1]

        yield make
        for worker in started:
            worker.process.kill()
            worker.process.wait()


def test_what_ends_within_the_grace_is_finished_and_nothing_new_is_begun(start: Start) -> None:
    worker = start(threads=8)
    job = worker.begin()
    worker.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not alive(worker.broker, "route"))
    for _ in range(5):
        worker.ring()
    assert worker.noted(WOUND_DOWN) == []
    worker.broker.set(RELEASED, "1")
    assert worker.exit_code() == 0
    ended = worker.noted(ENDED)
    assert str(job) in ended
    assert sorted(ended) == sorted(worker.noted(BEGAN))
    assert len(ended) <= 2, "but for one message that Celery had already asked for"
    assert worker.noted(WOUND_DOWN) == [str(len(ended))], "it winds down once, after the tasks"
    assert worker.broker.llen("interactive") == 6 - len(ended)


def test_a_task_that_hangs_does_not_keep_the_process(start: Start) -> None:
    worker = start(grace=0.3)
    worker.begin()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.exit_code() == EXIT_UNFINISHED
    assert worker.noted(WOUND_DOWN) == ["0"]
    assert worker.noted(ENDED) == []


def test_winding_down_may_interrupt_what_runs(start: Start) -> None:
    worker = start(grace=0.3)
    worker.broker.set(INTERRUPTING, "1")
    job = worker.begin()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.exit_code() == 0
    assert worker.noted(WOUND_DOWN) == ["0"]
    assert worker.noted(ENDED) == [str(job)]


def test_a_process_that_no_longer_hears_its_queues_leaves(start: Start) -> None:
    worker = start(deaf=1)
    job = worker.begin()
    with Celery("control", broker=worker.url, set_as_current=False) as control:
        for queue in WORKERS["route"].queues:
            assert control.control.cancel_consumer(queue.value, reply=True, timeout=10, limit=1)
    worker.ring()
    assert worker.exit_code() == EXIT_DEAF
    assert worker.noted(BEGAN) == [str(job)]
    assert worker.broker.llen("interactive") == 1


def watchdog(runtime: Runtime, activity: Activity) -> Watchdog:
    return Watchdog(runtime.redis, ["interactive", "batch"], activity, patience=30)


def test_only_messages_that_wait_all_the_time_are_a_sign(runtime: Runtime) -> None:
    dog = watchdog(runtime, Activity(slots=1))
    assert not any(dog.is_deaf(now) for now in (0, 100))
    runtime.redis.lpush("batch", "message")
    assert [dog.is_deaf(now) for now in (200, 215, 229.9, 230)] == [False, False, False, True]
    runtime.redis.delete("batch")
    assert not dog.is_deaf(231)
    runtime.redis.lpush("interactive", "message")
    assert not dog.is_deaf(300)


def test_a_process_that_begins_or_ends_something_hears(runtime: Runtime) -> None:
    activity = Activity(slots=2)
    dog = watchdog(runtime, activity)
    runtime.redis.lpush("interactive", "message")
    assert not dog.is_deaf(0)
    activity.began("a")
    assert not dog.is_deaf(40)
    assert not dog.is_deaf(50)
    activity.ended("a")
    assert not dog.is_deaf(90)
    assert [dog.is_deaf(now) for now in (91, 121)] == [False, True]


def test_a_busy_process_is_not_deaf(runtime: Runtime) -> None:
    activity = Activity(slots=1)
    activity.began("long")
    dog = watchdog(runtime, activity)
    runtime.redis.lpush("interactive", "message")
    assert not any(dog.is_deaf(now) for now in (0, 100, 200))


def test_a_redis_that_is_away_makes_nobody_deaf(deaf_runtime: Runtime) -> None:
    dog = watchdog(deaf_runtime, Activity(slots=1))
    assert not any(dog.is_deaf(now) for now in (0, 100))


@pytest.fixture
def staying(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shutdown forces its process to leave after a while, which is here the tests' own."""
    monkeypatch.setattr(process, "_leave_unfinished", lambda: None)


def test_a_micro_batch_beside_the_pool_is_waited_for(staying: None) -> None:
    activity, order = Activity(slots=1), []
    shutdown = Shutdown(activity, lambda: order.append("wound down"), PATIENCE_SECONDS)
    shutdown.prepare()
    activity.began(TaskName.EMBED)
    waiting = threading.Thread(target=shutdown.complete)
    waiting.start()
    assert shutdown.begun.wait(PATIENCE_SECONDS)
    order.append("ended")
    activity.ended(TaskName.EMBED)
    waiting.join(PATIENCE_SECONDS)
    assert not waiting.is_alive()
    assert order == ["ended", "wound down"]


def test_a_failing_wind_down_does_not_keep_the_process(staying: None) -> None:
    def fail() -> None:
        raise RuntimeError("no")

    shutdown = Shutdown(Activity(slots=1), fail, PATIENCE_SECONDS)
    shutdown.prepare()
    waiting = threading.Thread(target=shutdown.complete)
    waiting.start()
    waiting.join(PATIENCE_SECONDS)
    assert not waiting.is_alive()


@pytest.mark.parametrize(
    ("task", "named"),
    [
        (TaskName.ROUTE, {"tenant_id": "t", "job_id": "x"}),
        (TaskName.NOTIFY, {"tenant_id": "t", "delivery_id": "x"}),
        (TaskName.BATCH, {"tenant_id": "t", "batch_id": "x"}),
        (TaskName.LEARN, {"tenant_id": "t"}),
    ],
)
def test_log_lines_of_a_task_say_what_it_is_about(task: TaskName, named: dict[str, str]) -> None:
    with structlog.contextvars.bound_contextvars(job_id="of the task before"):
        process.name_in_logs(task.value, ("t", "x"))
        assert structlog.contextvars.get_contextvars() == named
        process.name_in_logs(None, ())  # a micro-batch
        assert structlog.contextvars.get_contextvars() == {}
