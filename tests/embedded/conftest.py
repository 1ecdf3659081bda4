import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from aico.embedded.child import Event, ProcessSpec, State
from aico.embedded.supervisor import Stage, Supervisor

Wait = Callable[[Callable[[], bool]], None]
Supervise = Callable[..., AbstractContextManager[Supervisor]]


@pytest.fixture(scope="session")
def wait_until() -> Wait:
    def wait(condition: Callable[[], bool]) -> None:
        give_up = time.monotonic() + 60
        while not condition():
            if time.monotonic() > give_up:
                pytest.fail("the condition was not met within a minute")
            time.sleep(0.05)

    return wait


@pytest.fixture(scope="session")
def supervise(wait_until: Wait) -> Supervise:
    """Runs the specs until the end of the block, which begins when all are ready."""

    @contextmanager
    def running(log_dir: Path, *specs: ProcessSpec, events: list[Event] | None = None) -> Iterator[Supervisor]:
        seen: list[Event] = [] if events is None else events
        supervisor = Supervisor(log_dir, [Stage(specs)], seen.append)
        failures: list[BaseException] = []

        def run() -> None:
            try:
                supervisor.run()
            except BaseException as error:  # noqa: BLE001  handed to the test's own thread
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            wait_until(lambda: bool(failures) or all(item.state is State.READY for item in supervisor.status()))
            if not failures:
                yield supervisor
        finally:
            supervisor.request_stop()
            thread.join()
        if failures:
            raise failures[0]

    return running


@pytest.fixture(scope="module")
def open_dir() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="aico-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)
