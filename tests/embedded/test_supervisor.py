import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from aico.embedded.child import Child, Event, EventKind, ProcessSpec, State, describe_exit, restart_delay
from aico.embedded.process import Command, StartFailed
from aico.embedded.supervisor import Stage, Supervisor


def sleeper(name: str = "sleeper", **options: object) -> ProcessSpec:
    return ProcessSpec(name, Command(("sleep", "1000")), **options)  # type: ignore[arg-type]  # each test gives the right ones


def shell(name: str, script: str, **options: object) -> ProcessSpec:
    return ProcessSpec(name, Command(("sh", "-c", script)), **options)  # type: ignore[arg-type]  # as above


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def goes(pid: int) -> bool:
    """A killed process is gone once the kernel comes to it."""
    give_up = time.monotonic() + 10
    while not gone(pid) and time.monotonic() < give_up:
        time.sleep(0.01)
    return gone(pid)


def kinds(events: list[Event], name: str) -> list[EventKind]:
    return [event.kind for event in events if event.name == name]


def test_delays_double_up_to_a_limit() -> None:
    assert [restart_delay(n) for n in range(1, 8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_exit_in_words() -> None:
    assert describe_exit(3) == "exit status 3"
    assert describe_exit(-9) == "killed by SIGKILL"


def test_restarts_what_dies(tmp_path: Path, supervise: Callable, wait_until: Callable) -> None:  # type: ignore[type-arg]
    events: list[Event] = []
    with supervise(tmp_path, sleeper(), sleeper("other"), events=events) as supervisor:
        first, other = (status.pid for status in supervisor.status())
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: supervisor.status()[0].restarts == 1 and supervisor.status()[0].state is State.READY)
        second = supervisor.status()[0].pid
        assert second != first
        assert supervisor.status()[1].pid == other
    assert kinds(events, "sleeper") == [
        *(EventKind.STARTED, EventKind.READY, EventKind.DIED),
        *(EventKind.RESTARTED, EventKind.READY, EventKind.STOPPED),
    ]
    assert [event.detail for event in events if event.kind is EventKind.DIED] == ["killed by SIGKILL"]
    assert gone(second)
    assert gone(other)


def test_old_failures_are_forgotten_after_a_healthy_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aico.embedded.child.HEALTHY_AFTER", 0.0)
    child = Child(sleeper(), tmp_path / "sleeper.log", lambda _event: None)
    child.failures = 9
    child.start()
    assert child.status().pid is not None
    os.kill(child.status().pid or 0, signal.SIGKILL)
    while child.state is State.STARTING or child.state is State.READY:
        child.tick()
    assert child.failures == 1


def test_stages_wait_for_each_other_and_stop_in_reverse(tmp_path: Path) -> None:
    events: list[Event] = []
    mark = tmp_path / "mark"
    order: list[str] = []

    def between() -> None:
        order.append("between")
        assert mark.exists()
        assert kinds(events, "second") == []

    first = shell("first", f"sleep 0.3; touch {mark}; exec sleep 1000", ready=mark.exists)

    def stop() -> None:
        supervisor.request_stop()

    stages = [Stage((first,), then=between), Stage((sleeper("second"),), then=stop)]
    supervisor = Supervisor(tmp_path / "logs", stages, events.append)
    supervisor.run()
    assert order == ["between"]
    assert [event.name for event in events if event.kind is EventKind.STOPPED] == ["second", "first"]


def test_death_at_the_start_tells_the_last_words(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    other = shell("other", f"echo $$ > {pid_file}; exec sleep 1000", ready=pid_file.exists)
    broken = shell("broken", "echo the disk is on fire; exit 4")
    supervisor = Supervisor(tmp_path, [Stage((other,)), Stage((broken,))])
    with pytest.raises(StartFailed, match=r"broken did not start; its last words:\nthe disk is on fire"):
        supervisor.run()
    assert gone(int(pid_file.read_text()))
    assert all(status.state is State.STOPPED for status in supervisor.status())


def test_not_ready_in_time_fails_the_start(tmp_path: Path) -> None:
    events: list[Event] = []
    spec = sleeper(ready=lambda: False, ready_timeout=0.3)
    with pytest.raises(StartFailed, match="sleeper did not start"):
        Supervisor(tmp_path, [Stage((spec,))], events.append).run()
    assert [event.detail for event in events if event.kind is EventKind.DIED] == ["not ready within 0.3 s"]


def test_start_attempts_are_granted(tmp_path: Path, supervise: Callable) -> None:  # type: ignore[type-arg]
    count = tmp_path / "count"
    script = f"echo x >> {count}; [ $(wc -l < {count}) -ge 3 ] || exit 1; touch {tmp_path}/ok; exec sleep 1000"
    spec = shell("third time lucky", script, start_attempts=3, ready=(tmp_path / "ok").exists)
    with supervise(tmp_path / "logs", spec) as supervisor:
        assert supervisor.status()[0].restarts == 2


def test_program_that_does_not_exist(tmp_path: Path) -> None:
    spec = ProcessSpec("absent", Command(("/does/not/exist",)))
    with pytest.raises(StartFailed, match="No such file"):
        Supervisor(tmp_path, [Stage((spec,))]).run()


def test_stubborn_process_and_its_children_are_killed(tmp_path: Path, supervise: Callable) -> None:  # type: ignore[type-arg]
    pids = tmp_path / "pids"
    script = f"trap '' TERM; sleep 1000 & echo $$ $! > {pids}; while :; do sleep 0.1; done"
    with supervise(tmp_path, shell("stubborn", script, stop_timeout=0.3, ready=pids.exists)):
        leader, child = (int(pid) for pid in pids.read_text().split())
        assert not gone(leader)
        assert not gone(child)
    assert gone(leader)
    assert goes(child)


def test_log_of_the_run_before_is_kept(tmp_path: Path, supervise: Callable) -> None:  # type: ignore[type-arg]
    for text in ("one", "two"):
        said = tmp_path / text
        with supervise(tmp_path, shell("talker", f"echo {text}; touch {said}; exec sleep 1000", ready=said.exists)):
            pass
    assert (tmp_path / "talker.log").read_text() == "two\n"
    assert (tmp_path / "talker.log.1").read_text() == "one\n"


def test_second_supervisor_of_a_folder_is_refused(tmp_path: Path, supervise: Callable) -> None:  # type: ignore[type-arg]
    with (
        supervise(tmp_path, sleeper()),
        pytest.raises(StartFailed, match="already running"),
    ):
        Supervisor(tmp_path, []).run()


def test_stop_asked_before_the_start_starts_nothing(tmp_path: Path) -> None:
    events: list[Event] = []
    supervisor = Supervisor(tmp_path, [Stage((sleeper(),))], events.append)
    supervisor.request_stop()
    supervisor.run()
    assert events == []


def test_names_are_unique(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="same name"):
        Supervisor(tmp_path, [Stage((sleeper(), sleeper()))])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
@pytest.mark.parametrize("with_tool", [True, False])
def test_children_die_with_a_killed_supervisor(tmp_path: Path, wait_until: Callable, with_tool: bool) -> None:  # type: ignore[type-arg]
    script = textwrap.dedent(f"""
        import os
        from pathlib import Path
        from aico.embedded import process
        from aico.embedded.child import ProcessSpec
        from aico.embedded.supervisor import Stage, Supervisor
        if not {with_tool}:
            process._setpriv = lambda: None
        root = os.geteuid() == 0
        nobody = process.Identity(65534, 65534) if root else None
        other = ProcessSpec("other", process.Command(("sleep", "1000"), identity=nobody))
        plain = ProcessSpec("plain", process.Command(("sleep", "1000")))
        deaf = ProcessSpec("deaf", process.Command(("sh", "-c", "trap '' TERM INT; while :; do sleep 1; done")))
        def ready():
            print(*(status.pid for status in supervisor.status()), flush=True)
        supervisor = Supervisor(Path({str(tmp_path)!r}), [Stage((plain, deaf, other), then=ready)])
        supervisor.run()
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 3
        assert not any(gone(pid) for pid in pids)
        parent.kill()
    wait_until(lambda: all(gone(pid) for pid in pids))


def test_stop_from_another_thread_ends_a_start_that_hangs(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, [Stage((sleeper(ready=lambda: False),))])
    timer = threading.Timer(0.3, supervisor.request_stop)
    timer.start()
    supervisor.run()
    timer.join()
    assert supervisor.status()[0].state is State.STOPPED
