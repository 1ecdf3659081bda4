"""Two lengths: AICO_FAULTS=long is what `make faults` runs, =short all of the short one; the suite has some of it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults.slow_provider import Scene, opened
from faults.world import World, world

# What needs the whole machine for minutes. Its parts are in the suite, each where it is decided.
apart = pytest.mark.skipif(
    "AICO_FAULTS" not in os.environ, reason="`make faults` runs it, AICO_FAULTS=short a short one"
)
REPORTS = pytest.StashKey[list[str]]()


@dataclass(frozen=True)
class Scale:
    rate: float  # jobs a second
    calm: float  # seconds between two faults
    drain: float  # seconds that it may take at most until everything has ended
    backlog: int  # jobs


SHORT = Scale(rate=10, calm=0.2, drain=100, backlog=10_000)
LONG = Scale(rate=200, calm=2.0, drain=900, backlog=50_000)


@pytest.fixture(scope="session")
def scale() -> Scale:
    return LONG if os.environ.get("AICO_FAULTS") == "long" else SHORT


@pytest.fixture(scope="session")
def calm_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One whose parts are left alone: leases and attempts are long, so that nothing ends by running out."""
    settings = {"STOP_GRACE_SECONDS": "2", "LEASE_SECONDS": "60", "ATTEMPT_TIMEOUT_SECONDS": "60"}
    limits = '[[limits]]\nprovider = "openai_compatible"\nmodel = "steady"\nrequests_per_minute = 300\n'
    with world(tmp_path_factory.mktemp("calm") / "world", settings, limits) as opened:
        yield opened


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("scene")) as there:
        yield there


@pytest.fixture
def report(pytestconfig: pytest.Config, tmp_path: Path) -> Callable[[str], None]:
    """Prints a text at the end of the run, and keeps it in a file."""

    def keep(text: str) -> None:
        (tmp_path / "report.txt").write_text(f"{text}\n")
        pytestconfig.stash.setdefault(REPORTS, []).append(text)

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for text in config.stash.get(REPORTS, []):
        terminalreporter.section("faults")
        terminalreporter.write_line(text)
