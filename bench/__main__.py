"""Measures the product on this machine, beside baselines in the same run.

python -m bench [--seconds 5] [--callers 64] [--json FILE] [baseline submit exact semantic miss embedding]
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType, MappingProxyType

from aico.core.errors import AicoError
from aico.core.settings import STATE_DIR
from bench import baseline, embedding, exact_hit, miss, semantic_hit, submit
from bench.arguments import positive
from bench.load import LoadFailed
from bench.measure import Row, against
from bench.product import Product, running_product
from bench.report import embedding_table, product_table
from bench.servers import ROOT, Cores, running_module, split_cores

_EXIT_FAILED, _EXIT_INTERRUPTED, _EXIT_TERMINATED = 1, 130, 143
_FIGURES: Mapping[str, Callable[[Product, argparse.Namespace], list[Row]]] = MappingProxyType(
    {
        "submit": lambda product, asked: submit.rows(product, callers=asked.callers, seconds=asked.seconds),
        "exact": lambda product, asked: exact_hit.rows(product, callers=asked.callers, seconds=asked.seconds),
        "semantic": lambda product, asked: semantic_hit.rows(product, callers=asked.callers, seconds=asked.seconds),
        "miss": lambda product, asked: miss.rows(product, seconds=asked.seconds),
    }
)
_NAMES = ("baseline", *_FIGURES, "embedding")


def main() -> int:
    asked = _arguments()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _run(asked)
    except (AicoError, LoadFailed) as error:
        _say(f"error: {error}")
        return _EXIT_FAILED
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    return 0


def _run(asked: argparse.Namespace) -> None:
    names = asked.names or _NAMES
    cores = split_cores()
    machine = _machine(cores)
    print("\n".join(f"{name}: {value}" for name, value in machine.items()), end="\n\n")
    rows = _product_rows(asked, names, cores) if set(names) - {"embedding"} else []
    if rows:
        print(product_table(rows), end="\n\n")
    embedded = _embedding_rows() if "embedding" in names else []
    if asked.json:
        figures = {"rows": [asdict(row) for row in rows], "embedding": [asdict(row) for row in embedded]}
        asked.json.write_text(json.dumps({"machine": machine, **figures}, indent=2) + "\n", encoding="utf-8")


def _product_rows(asked: argparse.Namespace, names: Sequence[str], cores: Cores | None) -> list[Row]:
    wanted = [name for name in _FIGURES if name in names]
    with (
        _temporary(ROOT / STATE_DIR / "bench" / str(os.getpid())) as home,
        _everything_on(cores.rest if cores else None),
    ):
        _say("baseline")
        bare = baseline.row(home, cores, callers=asked.callers, seconds=asked.seconds)
        rows = [against(bare, bare)]
        if not wanted:
            return rows
        _say("starting the product")
        with (
            running_module("bench.mock_provider", home) as (mock_port, _),
            running_product(home, mock_port, cores) as product,
        ):
            for name in wanted:
                _say(name)
                rows += [against(row, bare) for row in _FIGURES[name](product, asked)]
        return rows


def _embedding_rows() -> list[embedding.Row]:
    _say("embedding")
    rows = embedding.rows()
    print(embedding_table(rows))
    if skipped := embedding.missing_for_baseline():
        print(f"Without {embedding.BASELINE}: {skipped}; `make bench EXTRAS=torch` installs it.")
    return rows


def _machine(cores: Cores | None) -> dict[str, str]:
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    pinned = (
        f"API alone on core {cores.api}; load, Postgres, Redis and workers on {sorted(cores.rest)}"
        if cores
        else "processes are not kept to cores here"
    )
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "Python": platform.python_version(),
        "load average before": load,
        "cores": pinned,
    }


@contextmanager
def _everything_on(cores: frozenset[int] | None) -> Iterator[None]:
    """What starts within is kept to `cores` unless it is moved."""
    if sys.platform != "linux" or cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the product on this machine, beside baselines in the same run.",
        epilog="The baseline runs with every figure. Everything is started for the run and taken down after it.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(_NAMES)}; default: all")
    parser.add_argument("--seconds", type=partial(positive, float), default=5.0, help="of each load (default: 5)")
    parser.add_argument("--callers", type=partial(positive, int), default=64, help="connections (default: 64)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file too")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(_NAMES):
        parser.error(f"there is no figure {', '.join(sorted(unknown))}; there are {', '.join(_NAMES)}")
    return asked


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(_EXIT_TERMINATED)  # unwinds, so that everything is taken down


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
