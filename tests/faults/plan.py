"""The faults, each of which begins, lasts, and ends before the next."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from signal import SIGKILL, SIGQUIT, Signals

from faults.provider import SWIFT, Behaviour
from faults.world import World, wait_until

PROVIDER_SECONDS = 1.0
SLOW_SECONDS = 3.0  # longer than an attempt may take, so that some time out
CALLS_HELD = 4


@dataclass(frozen=True)
class Fault:
    name: str
    begin: Callable[[World], None]
    end: Callable[[World], None] = lambda _: None
    seconds: float = 0.0
    repeats: bool = False  # whether an answered call may be made again: nobody kept its answer, or it came too late


@dataclass
class Step:
    """A fault that was met. Times are Unix time."""

    fault: Fault
    began: float
    probe: str = ""  # the job that was submitted as it ended
    ended: float = 0.0
    answered: float = 0.0

    def touches(self, start: float, end: float) -> bool:
        """Whether it was going on, or not yet got over, at some moment between the two."""
        return self.began <= end and start <= self.answered


@dataclass
class Noted:
    """For each prompt, how often a worker was killed whose call for it the database knew of."""

    kills: Counter[int] = field(default_factory=Counter)


def kill(part: str, world: World, how: Signals = SIGKILL) -> None:
    world.part(part).send_signal(how)


def kill_twice_amid_calls(noted: Noted, world: World) -> None:
    """Kill the route worker while its calls hang and the database knows of each; then the next, with the same jobs."""
    world.provider.behave(Behaviour.HANG)
    wait_until(lambda: len(known_calls(world)) >= CALLS_HELD, "calls under way")
    first = known_calls(world)
    kill("route", world)
    world.provider.held = frozenset(first)
    world.provider.behave(Behaviour.ANSWER)
    wait_until(lambda: not known_calls(world), "the end of the calls")
    wait_until(lambda: len(known_calls(world)) >= CALLS_HELD, "the same calls again")
    second = known_calls(world)
    kill("route", world)
    world.provider.held = frozenset()
    noted.kills.update([*first, *second])


def known_calls(world: World) -> set[int]:
    """Prompts whose call is under way at the provider, and known to the database."""
    known = world.ask(
        "select (metadata ->> 'number')::integer as number from jobs"
        " where status = 'in_progress' and calling is not null and lease_until > now()"
    )
    hanging = {call.prompt for call in world.provider.open_calls() if call.behaviour is Behaviour.HANG}
    return {row["number"] for row in known} & hanging


def kill_without_its_file(world: World) -> None:
    """As if Redis had been run without an append-only file: it comes back with nothing."""
    shutil.rmtree(world.running.state_dir / "valkey" / "appendonlydir")
    kill("valkey", world)


def flush(world: World) -> None:
    with world.redis() as client:
        client.flushall()


def of_provider(behaviour: Behaviour, *models: str) -> Fault:
    """Of the models given, or of all."""

    def begin(world: World) -> None:
        world.provider.behave(behaviour, *([models] if models else []))

    def end(world: World) -> None:
        world.provider.behave(Behaviour.ANSWER)

    name = f"{' and '.join(models) or 'every model'} {behaviour.value}"
    slow = behaviour in {Behaviour.HANG, Behaviour.DRIP}
    return Fault(name, begin, end, SLOW_SECONDS if slow else PROVIDER_SECONDS, repeats=slow)


def faults(noted: Noted) -> Iterable[Fault]:
    """First the one whose traces take longest to go: a delivery of a dead notifier is tried again after a minute."""
    yield Fault("notify killed", partial(kill, "notify"))
    yield Fault("embed killed", partial(kill, "embed"))
    yield Fault("route killed twice amid calls", partial(kill_twice_amid_calls, noted), repeats=True)
    yield Fault("route killed", partial(kill, "route"), repeats=True)
    yield Fault("record killed", partial(kill, "record"))
    yield Fault("lane killed", partial(kill, "lane"))
    yield Fault("batch killed", partial(kill, "batch"))
    yield Fault("sweep and feeder killed", partial(kill, "sweep"))
    yield Fault("api killed", partial(kill, "api"))
    yield Fault("valkey killed, its file kept", partial(kill, "valkey"))
    yield Fault("valkey killed, its file lost", kill_without_its_file)
    yield Fault("valkey flushed", flush)
    yield Fault("postgres stopped at once", partial(kill, "postgres", how=SIGQUIT), repeats=True)
    yield Fault("postgres killed", partial(kill, "postgres"), repeats=True)
    yield of_provider(Behaviour.HANG)
    yield of_provider(Behaviour.DRIP, SWIFT)
    yield of_provider(Behaviour.RESET)
    yield of_provider(Behaviour.TRUNCATE, SWIFT)
    yield of_provider(Behaviour.NOT_JSON)
    yield of_provider(Behaviour.WRONG_SHAPE, SWIFT)
    yield of_provider(Behaviour.ERROR, SWIFT)
    yield of_provider(Behaviour.TOO_MANY)
    yield of_provider(Behaviour.TOO_MANY_AFTER)
    yield of_provider(Behaviour.CLOSE)


def meet(fault: Fault, world: World, submit: Callable[[], str], wait: Callable[[str], object]) -> Step:
    """Begin the fault, let it last, end it, and see a probe through that is submitted as it ends."""
    step = Step(fault, time.time())
    fault.begin(world)
    time.sleep(fault.seconds)
    fault.end(world)
    step.ended = time.time()
    step.probe = submit()
    wait(step.probe)
    step.answered = time.time()
    return step
