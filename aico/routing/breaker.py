"""Whether it makes sense to call a provider now, learned from how its last calls ended.

A circuit breaker (Nygard, "Release It!", 2007) for each of three things: the provider as a whole, a key, and a model
with a key. Closed, it lets everything through; after a run or a rate of failures it opens, and lets nothing through
until its cooldown has passed; then it is half-open and lets one call find out, whose end closes it or opens it for
longer. All of it is arithmetic on `State`: who keeps the states is another matter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

HALF_LIFE_SECONDS = 30.0  # after which an outcome counts half in the rate of failures
LOOK_AGAIN_SECONDS = 2.0  # the longest wait for the end of the one call that finds out
_LONGEST_DOUBLING = 30  # beyond that every cap is long reached


class Kind(StrEnum):
    PROVIDER = "provider"  # whether it is reached at all: no connection knows a key or a model
    KEY = "key"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Scope:
    """What has a breaker. `account` is the id of the key, None where calls need none."""

    kind: Kind
    provider: str
    account: UUID | None = None
    model: str | None = None


def scopes_of(provider: str, model: str, account: UUID | None) -> tuple[Scope, ...]:
    """All that have to be closed for a call."""
    return (
        Scope(Kind.PROVIDER, provider),
        Scope(Kind.KEY, provider, account),
        Scope(Kind.MODEL, provider, account, model),
    )


@dataclass(frozen=True, slots=True)
class Rules:
    """`run` failures one after another open it, and so does a `share` of failures among at least `calls` of late.

    Cooldowns begin at `base` seconds, double with each trip, and end at `cap`.
    """

    run: int
    base: float
    cap: float
    calls: float = 20.0
    share: float = 0.5

    def cooldown(self, trips: int, uniform: float) -> float:
        """Seconds after so many trips in a row: half of it for certain, the other half as `uniform` in 0..1 says."""
        whole = min(self.cap, self.base * 2.0 ** min(trips - 1, _LONGEST_DOUBLING))
        return whole * (0.5 + 0.5 * uniform)


RULES: Mapping[Kind, Rules] = MappingProxyType(
    {
        Kind.PROVIDER: Rules(run=5, base=2.0, cap=60.0),
        Kind.KEY: Rules(run=1, base=30.0, cap=600.0),  # a key that was refused is refused again
        Kind.MODEL: Rules(run=5, base=2.0, cap=60.0),
    }
)


class Mark(StrEnum):
    """What a call's end says about one scope."""

    GOOD = "good"
    BAD = "bad"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class State:
    """Moments are seconds of one clock, 0 for never. The counts fade; `until` 0 means closed."""

    run: int = 0  # failures since the last success
    good: float = 0.0
    bad: float = 0.0
    at: float = 0.0  # when the counts were true
    trips: int = 0  # since it was last closed
    until: float = 0.0  # the end of the cooldown
    probe: float = 0.0  # until when a call is out that finds out

    def wait(self, now: float) -> float:
        """Seconds until a call may be let through; 0: now."""
        if self.until > now:
            return self.until - now
        if self.until > 0 and self.probe > now:
            return min(self.probe - now, LOOK_AGAIN_SECONDS)
        return 0.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A call on its way in: let through where `wait` is 0, else turned away by `blocked`.

    `probes` are the scopes for which this call finds out whether they have recovered; `said` is what was last wrong.
    """

    scopes: tuple[Scope, ...]
    wait: float = 0.0  # seconds
    blocked: Scope | None = None
    probes: frozenset[Scope] = frozenset()
    said: str = ""


def admit(
    scopes: Sequence[Scope], states: Sequence[State], now: float, lease: float
) -> tuple[Entry, tuple[State, ...]]:
    """Let a call through all of its scopes or through none; a probe is given up for lost after `lease` seconds."""
    waits = [state.wait(now) for state in states]
    wait = max(waits)
    if wait > 0:
        return Entry(tuple(scopes), wait, scopes[waits.index(wait)]), tuple(states)
    probes = frozenset(scope for scope, state in zip(scopes, states, strict=True) if state.until > 0)
    after = (replace(state, probe=now + lease) if state.until > 0 else state for state in states)
    return Entry(tuple(scopes), probes=probes), tuple(after)


def settle(state: State, mark: Mark, rules: Rules, now: float, *, probing: bool, uniform: float) -> State:
    """The state after a call's end. While it is not closed only the call that finds out counts: others are old."""
    if state.until > 0:
        return _found_out(state, mark, rules, now, uniform) if probing else state
    if mark is Mark.NOTHING:
        return state
    fade = 0.5 ** (max(0.0, now - state.at) / HALF_LIFE_SECONDS)
    good = state.good * fade + (mark is Mark.GOOD)
    bad = state.bad * fade + (mark is Mark.BAD)
    run = state.run + 1 if mark is Mark.BAD else 0
    often = good + bad >= rules.calls and bad >= rules.share * (good + bad)
    if mark is Mark.BAD and (run >= rules.run or often):
        return _opened(state, rules, now, uniform)
    return State(run=run, good=good, bad=bad, at=now)


def _found_out(state: State, mark: Mark, rules: Rules, now: float, uniform: float) -> State:
    match mark:
        case Mark.GOOD:
            return State()
        case Mark.BAD:
            return _opened(state, rules, now, uniform)
        case Mark.NOTHING:
            return replace(state, probe=0.0)  # the next call finds out


def _opened(state: State, rules: Rules, now: float, uniform: float) -> State:
    trips = state.trips + 1
    return State(trips=trips, until=now + rules.cooldown(trips, uniform))


Marks = Mapping[Kind, Mark]


class Breaker(Protocol):
    """Thread-safe. Never raises: what is not known of a provider's health is no reason to fail a call."""

    def enter(self, scopes: Sequence[Scope], lease: float) -> Entry:
        """Ask whether a call may be made. Whoever is let through says with `leave` how it ended."""

    def leave(self, entry: Entry, marks: Marks, said: str = "") -> None:
        """`said` names the sort of error, without anything of the call."""


class NoBreaker:
    """Everything is let through."""

    def enter(self, scopes: Sequence[Scope], lease: float) -> Entry:
        del lease
        return Entry(tuple(scopes))

    def leave(self, entry: Entry, marks: Marks, said: str = "") -> None:
        """Nothing is kept."""
