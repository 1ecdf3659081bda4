import threading
from collections.abc import Sequence

from aico.workers.microbatch import Arguments, Batcher

PATIENCE = 10


class Work:
    """Records batches; the first one waits until it is let go, so that others pile up behind it."""

    def __init__(self, *, fail_first: bool = False) -> None:
        self.batches: list[list[str]] = []
        self.started, self.go, self.idle = threading.Event(), threading.Event(), threading.Semaphore(0)
        self._fail_first = fail_first

    def __call__(self, messages: Sequence[Arguments]) -> None:
        self.batches.append([arguments[0] for arguments in messages])
        first = len(self.batches) == 1
        self.started.set()
        assert self.go.wait(PATIENCE)
        self.idle.release()
        if first and self._fail_first:
            raise RuntimeError("a bad batch")

    def wait_for(self, batches: int) -> None:
        for _ in range(batches):
            assert self.idle.acquire(timeout=PATIENCE)


def test_an_idle_worker_starts_at_once_and_what_piles_up_goes_together() -> None:
    work, taken = Work(), []
    batcher = Batcher(work, limit=4, pace=0)
    batcher.start("test")
    batcher.add(("a",), lambda: taken.append("a"))
    assert work.started.wait(PATIENCE)
    for name in "bcdefg":
        batcher.add((name,), lambda name=name: taken.append(name))  # type: ignore[misc]
    assert taken == ["a"]
    work.go.set()
    work.wait_for(3)
    assert work.batches == [["a"], ["b", "c", "d", "e"], ["f", "g"]]
    assert taken == list("abcdefg")


def test_after_a_batch_the_next_one_collects_until_the_limit() -> None:
    work = Work()
    batcher = Batcher(work, limit=3, pace=PATIENCE * 100)
    batcher.start("test")
    batcher.add(("first",), lambda: None)
    assert work.started.wait(PATIENCE)
    work.go.set()
    for name in "abc":
        batcher.add((name,), lambda: None)
    work.wait_for(2)
    assert work.batches == [["first"], ["a", "b", "c"]]


def test_a_failing_batch_does_not_stop_the_next() -> None:
    work = Work(fail_first=True)
    work.go.set()
    batcher = Batcher(work, limit=1, pace=0)
    batcher.start("test")
    batcher.add(("bad",), lambda: None)
    batcher.add(("good",), lambda: None)
    work.wait_for(2)
    assert work.batches == [["bad"], ["good"]]
