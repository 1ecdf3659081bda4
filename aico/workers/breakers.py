"""Circuit breakers that all workers share, kept in Redis; while it is away each process keeps to its own."""

import random
import threading
import time
from collections.abc import Callable, Sequence

import redis
import structlog

from aico.routing.breaker import RULES, Entry, Kind, Mark, Marks, Scope, State, admit, settle
from aico.workers.breaker_scripts import ENTER, LEAVE, entry_of, key_of, leaving
from aico.workers.sharing import Sharing

log = structlog.get_logger()

_KEPT = 10_000  # states; beyond that those that are closed are forgotten: they are as if nothing ever failed
_CLOSED = State()


class LocalBreaker:
    """Thread-safe. States of this process alone. `clock` gives seconds since some moment in the past."""

    def __init__(self, clock: Callable[[], float] = time.time, uniform: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._uniform = uniform
        self._lock = threading.Lock()
        self._states: dict[Scope, State] = {}
        self._said: dict[Scope, str] = {}

    def enter(self, scopes: Sequence[Scope], lease: float) -> Entry:
        with self._lock:
            states = [self._states.get(scope, _CLOSED) for scope in scopes]
            entry, after = admit(scopes, states, self._clock(), lease)
            self._states.update(zip(scopes, after, strict=True))
        blocked = entry.blocked
        return entry if blocked is None else Entry(entry.scopes, entry.wait, blocked, said=self._said.get(blocked, ""))

    def leave(self, entry: Entry, marks: Marks, said: str = "") -> None:
        with self._lock:
            if len(self._states) >= _KEPT:  # tenants with keys of their own have states of their own
                self._states = {scope: state for scope, state in self._states.items() if state.until > 0}
                self._said = {scope: word for scope, word in self._said.items() if scope in self._states}
            for scope in entry.scopes:
                self._settle(scope, marks[scope.kind], probing=scope in entry.probes)
                if marks[scope.kind] is Mark.BAD:
                    self._said[scope] = said

    def _settle(self, scope: Scope, mark: Mark, *, probing: bool) -> None:
        state = self._states.get(scope, _CLOSED)
        rules, now = RULES[scope.kind], self._clock()
        self._states[scope] = settle(state, mark, rules, now, probing=probing, uniform=self._uniform())


class RedisBreaker(Sharing):
    """States of all who share the Redis, in one trip a question. What was seen here is kept for when it is gone."""

    def __init__(self, client: redis.Redis, uniform: Callable[[], float] = random.random) -> None:
        super().__init__(_lost, _found)
        self._enter = client.register_script(ENTER)
        self._leave = client.register_script(LEAVE)
        self._uniform = uniform
        self._local = LocalBreaker(uniform=uniform)

    def enter(self, scopes: Sequence[Scope], lease: float) -> Entry:
        return self.either(
            lambda: entry_of(scopes, self._enter([key_of(scope) for scope in scopes], [repr(lease)])),
            lambda: self._local.enter(scopes, lease),
        )

    def leave(self, entry: Entry, marks: Marks, said: str = "") -> None:
        self._local.leave(entry, marks, said)
        if entry.probes or any(mark is not Mark.NOTHING for mark in marks.values()):
            self.either(lambda: self._tell(entry, marks, said), lambda: None)

    def _tell(self, entry: Entry, marks: Marks, said: str) -> None:
        opened = self._leave(*leaving(entry, marks, said, self._uniform()))
        for number, seconds in zip(opened[::2], opened[1::2], strict=True):
            scope = entry.scopes[int(number) - 1]
            log.warning(
                "breaker_opened",
                kind=scope.kind.value,
                provider=scope.provider,
                model=scope.model,
                account=None if scope.kind is Kind.PROVIDER or scope.account is None else str(scope.account),
                error=said,
                seconds=round(float(seconds), 1),
            )


def _lost(error: redis.RedisError) -> None:
    log.warning("breakers_not_shared", error=type(error).__name__)


def _found() -> None:
    log.info("breakers_shared_again")
