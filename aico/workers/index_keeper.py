"""Gives large namespaces of the cache an index of their own, one at a time and off every request's path.

A thread in the sweeper's process where that knows the owner of the tables, or a process of its own: `aico cache index`.
Without either, every search stays exact.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog

from aico.core.cache_index import DEPTH, LEAST_RECALL, IndexState, Standing, Step, recall, steps
from aico.core.errors import InvalidInput, Unavailable
from aico.store.cache_indexes import Indexer, Kept, index_name, indexer

log = structlog.get_logger()

PAUSE_SECONDS = 300.0
_NEVER = 2**62  # rows
_NEAREST = 2  # a vector itself, and its nearest neighbour


class IndexKeeper:
    def __init__(self, admin_url: str, *, least_rows: int) -> None:
        """`least_rows` of 0: no namespace is large enough, and what indexes there are go."""
        self._admin_url = admin_url
        self._least_rows = least_rows or _NEVER

    def run(self, stop: threading.Event) -> None:
        """Every five minutes until `stop`, which breaks off a build; an outage of Postgres is waited for."""
        while not stop.is_set():
            try:
                self.step(stop)
            except Unavailable as error:
                log.warning("indexing_postponed", reason=error.detail)
            except InvalidInput as error:
                log.error("indexing_given_up", reason=error.detail)  # noqa: TRY400 - the reason says it all
                return
            stop.wait(PAUSE_SECONDS)

    def step(self, stop: threading.Event) -> list[Kept] | None:
        """Do all that is to be done now. Returns what there is then; None while another process is at it."""
        with indexer(self._admin_url) as indexes:
            if indexes is None:
                return None
            with _broken_off_by(stop, indexes):
                self._put_right(indexes, stop)
            return indexes.survey(self._least_rows)

    def _put_right(self, indexes: Indexer, stop: threading.Event) -> None:
        for name in indexes.drop_orphans():
            log.info("cache_index_dropped", index=name)
        standings = [kept.standing for kept in indexes.survey(self._least_rows)]
        for step, standing in steps(standings, least_rows=self._least_rows):
            if stop.is_set():
                return
            try:
                _take(step, standing, indexes)
            except Unavailable as error:  # of one index: the others are made all the same
                log.warning("cache_index_failed", index=index_name(standing.scope), reason=error.detail)


def _take(step: Step, standing: Standing, indexes: Indexer) -> None:
    if step is Step.DROP:
        indexes.give_up(standing.scope)
        log.info("cache_index_dropped", index=index_name(standing.scope), rows=standing.rows)
    elif (step is Step.BUILD or not decide(indexes, standing)) and indexes.build(standing):
        decide(indexes, replace(standing, state=IndexState.BUILDING), last=True)


def decide(indexes: Indexer, standing: Standing, *, last: bool = False) -> bool:
    """Measure what an index finds and use it if that is enough. If not, it is rejected where this was its `last` try.

    A namespace in which nothing is near anything has nothing to miss.
    """
    trials = indexes.trials(standing.scope)
    nearest, eight = recall(trials, _NEAREST), recall(trials, DEPTH)
    enough = nearest is None or nearest >= LEAST_RECALL
    if enough or last:
        state = IndexState.USED if enough else IndexState.REJECTED
        indexes.decide(standing, state, recall=nearest, recall_8=eight)
        name = index_name(standing.scope)
        log.info("cache_index_decided", index=name, rows=standing.rows, state=state.value, recall=nearest, near=eight)
    return enough


@contextmanager
def _broken_off_by(stop: threading.Event, indexes: Indexer) -> Iterator[None]:
    """A build takes minutes: whoever is told to stop does not wait for it."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            if stop.is_set():
                indexes.cancel()  # again and again: between two statements there is nothing to cancel

    watcher = threading.Thread(target=watch, name="index-stop", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
