"""Measures the whole way of a figure: a row of the ledger, its sums, the tick, and whoever looks on.

python -m bench.live [--seconds 30] [--viewers 40] [--rows 2000] [--tenants 4]

Everything is started as `aico up` starts it. Jobs that workers hold end by the product's own statement, up to 25 with
each, and its recorder is rung. Viewers are signed in and subscribe with the official client.

Exit code 1: rows or ticks were lost. How long it took decides nothing.
"""

import argparse
import os
import platform
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import FrameType

from aico.core.errors import AicoError
from aico.core.settings import STATE_DIR
from bench.arguments import positive
from bench.live.measuring import Wanted, measure
from bench.live.report import describe
from bench.load import LoadFailed
from bench.servers import ROOT

_EXIT_FAILED, _EXIT_INTERRUPTED, _EXIT_TERMINATED = 1, 130, 143


def main() -> int:
    wanted = _arguments()
    signal.signal(signal.SIGTERM, _terminate)
    home = ROOT / STATE_DIR / "bench"
    home.mkdir(parents=True, exist_ok=True)
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    print(f"machine: {platform.system()} {platform.machine()}, {os.cpu_count()} cores, load average before: {load}")
    people = f"{wanted.viewers} viewers of {wanted.tenants} tenants"
    print(f"{people}, {wanted.rows:,} rows a second for {wanted.seconds:g} seconds", end="\n\n")
    try:
        with tempfile.TemporaryDirectory(dir=home, prefix=f"{os.getpid()}-") as folder:
            outcome = measure(wanted, Path(folder), _say)
    except (AicoError, LoadFailed) as error:
        _say(f"error: {error}")
        return _EXIT_FAILED
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    print(describe(outcome))
    return 0 if outcome.whole else _EXIT_FAILED


def _arguments() -> Wanted:
    parser = argparse.ArgumentParser(
        prog="python -m bench.live", description="Measure rows of the ledger until they are with those who look on."
    )
    number = partial(positive, int)
    parser.add_argument("--seconds", type=partial(positive, float), default=30.0, help="of the load (default: 30)")
    parser.add_argument("--viewers", type=number, default=40, help="who look on, spread over the tenants (default: 40)")
    parser.add_argument("--rows", type=number, default=2000, help="of the ledger a second, of all (default: 2000)")
    parser.add_argument("--tenants", type=number, default=4, help="whose rows they are (default: 4)")
    asked = parser.parse_args()
    return Wanted(asked.seconds, asked.viewers, asked.rows, asked.tenants)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(_EXIT_TERMINATED)  # unwinds, so that everything is taken down


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
