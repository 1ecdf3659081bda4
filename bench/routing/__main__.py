"""Measures the routing strategies on published outcomes, with held-out splits of its own.

python -m bench.routing [--data DIR] [--seeds 5] [--quick] [--json FILE]
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from aico.core.errors import AicoError
from aico.core.settings import STATE_DIR
from bench.routing import cascade, deciding, drift, offline, online, several
from bench.routing.report import cost_table, many_table, pairs_table
from bench.routing.row import Row
from bench.routing.tables import SHAPES, Table, TablesMissing, load_table
from bench.servers import ROOT

_EXIT_FAILED, _EXIT_NO_TABLES, _EXIT_INTERRUPTED = 1, 2, 130
_MANY = "nine"  # the table of more than two models
_BEFORE, _AFTER = "mmlu", "gsm8k"  # traffic that changes
# What is measured on every table, each by a module of its own.
_PARTS: Sequence[Callable[[Table, int], Iterator[Row]]] = (offline.rows, online.rows, cascade.rows)


def main() -> int:
    asked = _arguments()
    try:
        _run(asked)
    except TablesMissing as error:
        _say(f"error: {error}")
        return _EXIT_NO_TABLES
    except AicoError as error:
        _say(f"error: {error}")
        return _EXIT_FAILED
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    return 0


def _run(asked: argparse.Namespace) -> None:
    seeds = 1 if asked.quick else asked.seeds
    tables = []
    for name in SHAPES:
        _say(f"reading {name}")
        tables.append(load_table(asked.data, name, ROOT / STATE_DIR / "bench" / "routing-vectors.npz"))
    rows = [row for table in tables for part in _PARTS for row in _told(part(table, seeds))]
    named = {table.name: table for table in tables}
    rows += _told(drift.rows(named[_BEFORE], named[_AFTER], seeds))
    print(pairs_table(rows), end="\n\n")
    many = named[_MANY]
    _say("nine models")
    among = list(several.rows(many, seeds))
    print(many_table(among), end="\n\n")
    costs = list(deciding.rows(many))
    print(cost_table(costs))
    if asked.json:
        figures = {
            name: [asdict(row) for row in part]
            for name, part in (("pairs", rows), ("nine", among), ("decisions", costs))
        }
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _told(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        _say(f"{row.table}: {row.router}, {row.setting}")
        yield row


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.routing", description="Measure the routing strategies on published outcomes."
    )
    default = ROOT.parent / "shared" / "data" / "routing"
    parser.add_argument("--data", type=Path, default=default, help="folder of the published tables")
    parser.add_argument("--seeds", type=int, default=5, help="splits and streams that are averaged")
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
