"""Where a call may be made now: with which of a provider's keys, past which breakers, and when by its rate limits."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from aico.routing.breaker import Breaker, Entry, Kind, scopes_of
from aico.routing.health import GOOD, error_class, marks_of, nothing_learned
from aico.routing.models import Model
from aico.routing.pacing import Pacer
from aico.routing.providers.chat_provider import ChatProvider
from aico.routing.providers.credential import Credential, source_of
from aico.routing.providers.failures import ProviderError


@dataclass(frozen=True, slots=True)
class Target:
    """A candidate, and the key with which it is called, where it is known which."""

    model: Model
    provider: ChatProvider
    credential: Credential | None = None

    @property
    def account(self) -> UUID | None:
        return None if self.credential is None else self.credential.id

    @property
    def place(self) -> str:
        """What stands for a place of its own in the rate limits."""
        return self.model.id if self.account is None else f"{self.model.id} {self.account}"


@dataclass(frozen=True, slots=True)
class Place:
    target: Target
    entry: Entry
    wait: float = 0.0  # seconds until the rate limits have room; the room is reserved


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A target whose breaker is not closed."""

    target: Target
    entry: Entry

    @property
    def key_refused(self) -> bool:
        """Waiting does not help: unlike a provider, a key does not get well by itself."""
        return self.entry.blocked is not None and self.entry.blocked.kind is Kind.KEY

    def __str__(self) -> str:
        model, wait = self.target.model, f"{self.entry.wait:.0f} s"
        lately = f" ({self.entry.said})" if self.entry.said else ""
        match self.entry.blocked.kind if self.entry.blocked is not None else None:
            case Kind.PROVIDER:
                return f"{model.provider} is passed over: it cannot be reached{lately}; it is tried again in {wait}"
            case Kind.KEY:
                whose = source_of(self.target.credential).value
                return f"{model.id} is passed over: {model.provider} refused the {whose}'s key{lately}"
            case _:
                return f"{model.id} is passed over: it keeps failing{lately}; it is tried again in {wait}"


@dataclass
class Obstacles:
    """What kept a job from its candidates."""

    crowded: list[Target] = field(default_factory=list)  # whose limits asked for more patience than there is
    closed: dict[str, TurnedAway] = field(default_factory=dict)  # by place

    @property
    def recovering(self) -> TurnedAway | None:
        """Who may be asked again first."""
        return min(
            (one for one in self.closed.values() if not one.key_refused), key=lambda one: one.entry.wait, default=None
        )

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(str, self.closed.values())))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that is to be made. Times in seconds; `reserved` is the place that was reserved for it earlier."""

    tokens: int
    patience: float
    lease: float  # after which it is surely over
    reserved: str | None = None


class Places:
    """Thread-safe. `uniform` gives numbers in 0..1."""

    def __init__(self, pacer: Pacer, breaker: Breaker, uniform: Callable[[], float]) -> None:
        self._pacer = pacer
        self._breaker = breaker
        self._uniform = uniform

    def find(self, targets: Sequence[Target], wanted: Wanted, obstacles: Obstacles) -> Place | None:
        """A place with the first key, in an order drawn by weight, that is well and has room; else in `obstacles`.

        Where all are crowded it is the one that has room first.
        """
        alone = len(targets) == 1
        crowded: list[Target] = []
        for target in self._drawn(targets, wanted.reserved):
            entry = self._breaker.enter(scopes_of(target.model.provider, target.model.id, target.account), wanted.lease)
            if entry.wait > 0:
                obstacles.closed[target.place] = TurnedAway(target, entry)
                continue
            obstacles.closed.pop(target.place, None)
            wait = 0.0 if target.place == wanted.reserved else self._reserve(target, wanted, patient=alone)
            if wait is not None:
                return Place(target, entry, wait)
            self.give_up(entry)
            crowded.append(target)
        if crowded and not alone:
            first = min(crowded, key=lambda one: self.wait(one, wanted.tokens))
            return self.find([first], wanted, obstacles)
        obstacles.crowded += crowded
        return None

    def wait(self, target: Target, tokens: int) -> float:
        """Seconds until the target's limits have room."""
        return self._pacer.wait(target.model, tokens, account=target.account)

    def give_up(self, entry: Entry) -> None:
        """No call came of it."""
        if entry.probes:
            self._breaker.leave(entry, nothing_learned())

    @contextmanager
    def entered(self, place: Place, *, whole: bool) -> Iterator[None]:
        """For the call itself. What became of it is told to everybody; `whole`: it has all the time of a call."""
        try:
            yield
        except ProviderError as error:
            self._breaker.leave(place.entry, marks_of(error, whole=whole), error_class(error))
            raise
        except BaseException:
            self.give_up(place.entry)
            raise
        self._breaker.leave(place.entry, GOOD)

    def _reserve(self, target: Target, wanted: Wanted, *, patient: bool) -> float | None:
        patience = wanted.patience if patient else 0.0
        return self._pacer.reserve(target.model, wanted.tokens, patience=patience, account=target.account)

    def _drawn(self, targets: Sequence[Target], reserved: str | None) -> list[Target]:
        """Each is first with a probability in proportion to its weight (Efraimidis and Spirakis, 2006)."""
        if len(targets) == 1:
            return list(targets)
        lots = [(one.place == reserved, self._uniform() ** (1.0 / _weight(one)), one) for one in targets]
        return [one for *_, one in sorted(lots, key=lambda lot: lot[:2], reverse=True)]


def _weight(target: Target) -> int:
    return 1 if target.credential is None else target.credential.weight
