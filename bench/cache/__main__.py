"""Measures what the semantic cache serves, and how often wrongly: on pairs, on streams, and when traffic changes.

python -m bench.cache [--data DIR] [--seeds 3] [--quick] [--json FILE] [pairs streams drift]
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aico.caching.deciding import Decider
from aico.core.errors import AicoError
from aico.core.settings import Settings
from aico.embedding_service.factory import load_embedder
from aico.embedding_service.verification.comparison import Verifier
from aico.embedding_service.verification.vectors import WordVectors
from bench.cache import drift, pairs, streams
from bench.cache.prompts import MINIMAL, PROMPTS, PromptsMissing, intents, of_pairs, read_pairs
from bench.cache.report import drift_table, pairs_table, streams_table
from bench.servers import ROOT

_EXIT_FAILED, _EXIT_NO_PROMPTS, _EXIT_INTERRUPTED = 1, 2, 130
_FIXED = 0.95  # the cosine that is commonly served
_NAMES = ("pairs", "streams", "drift")
_SETS = {PROMPTS: "prompt pairs", MINIMAL: "minimal pairs"}


def main() -> int:
    asked = _arguments()
    try:
        _run(asked)
    except PromptsMissing as error:
        _say(f"error: {error}")
        return _EXIT_NO_PROMPTS
    except AicoError as error:
        _say(f"error: {error}")
        return _EXIT_FAILED
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    return 0


class _Bench:
    def __init__(self, data: Path, seeds: int) -> None:
        self._data, self._seeds = data, seeds
        self._embedder = load_embedder(Settings())
        self._decider = Decider(Verifier(WordVectors.bundled()))

    def pairs(self) -> list[pairs.PairRow]:
        found: list[pairs.PairRow] = []
        for file, name in _SETS.items():
            _say(name)
            found += pairs.rows(name, read_pairs(self._data, file), self._embedder, self._decider, _FIXED)
        print(pairs_table(found), end="\n\n", flush=True)
        return found

    def streams(self) -> list[streams.StreamRow]:
        """Not of minimal pairs: of texts from one template nobody says which of other pairs share an answer."""
        prompts = of_pairs(_SETS[PROMPTS], read_pairs(self._data, PROMPTS), self._embedder)
        found: list[streams.StreamRow] = []
        for stream in (prompts, intents(self._data, self._embedder)):
            for row in streams.rows(stream, self._decider, _FIXED, self._seeds):
                _say(f"{row.stream}: {row.policy} {row.target or ''}")
                found.append(row)
        print(streams_table(found), end="\n\n", flush=True)
        return found

    def drift(self) -> list[drift.DriftRow]:
        found: list[drift.DriftRow] = []
        for row in drift.rows(intents(self._data, self._embedder), self._decider, self._seeds):
            _say(f"changed: {row.changed:.0%}, target {row.target:.0%}")
            found.append(row)
        print(drift_table(found), end="\n\n", flush=True)
        return found


def _run(asked: argparse.Namespace) -> None:
    bench = _Bench(asked.data, 1 if asked.quick else asked.seeds)
    parts: dict[str, Callable[[], Sequence[Any]]] = {
        "pairs": bench.pairs,
        "streams": bench.streams,
        "drift": bench.drift,
    }
    figures = {name: [asdict(row) for row in parts[name]()] for name in asked.names or _NAMES}
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.cache", description="Measure what the semantic cache serves, and how often wrongly."
    )
    default = ROOT.parent / "shared" / "data" / "caching"
    parser.add_argument("names", nargs="*", choices=[[], *_NAMES], help="what to measure; all if none is named")
    parser.add_argument("--data", type=Path, default=default, help="folder of the labelled prompts")
    parser.add_argument("--seeds", type=int, default=3, help="orders of each stream")
    parser.add_argument("--quick", action="store_true", help="one order")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
