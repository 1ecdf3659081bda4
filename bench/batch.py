"""A large batch against the whole product: how long it takes, and the most memory that any process needs for it.

python -m bench.batch [--lines 50000] [--distinct 2000] [--cache semantic]

The provider is the mock that answers at once. Of the lines only `--distinct` differ: the others repeat them, and find
the answer in the cache once it is there.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from aico.cli.client import Client
from aico.core.settings import STATE_DIR
from aico.embedded.ports import LOOPBACK
from bench.mock_provider import model_name
from bench.product import Product, running_product
from bench.prompts import distinct
from bench.report import table
from bench.servers import ROOT, running_module

ENDPOINT = "/v1/chat/completions"
_SAMPLE_SECONDS = 0.1
_POLL_SECONDS = 0.5
_MIB = 1024 * 1024
_ENDED = {"completed", "failed", "expired", "cancelled"}
Phases = dict[str, float]  # seconds since the batch was made, by the status that was first seen then


@dataclass
class Memory:
    """The largest resident set of each process; of those with several, of the largest."""

    product: Product
    before: dict[str, int] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)

    def sample(self) -> None:
        for processes in self.product.groups.values():
            for process in processes:
                self._note(process)

    def _note(self, process: psutil.Process) -> None:
        name = _name(process.cmdline())
        for one in (process, *process.children(recursive=True)):
            try:
                size = one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            self.before.setdefault(name, size)
            self.peak[name] = max(self.peak.get(name, 0), size)

    @contextmanager
    def sampled(self) -> Iterator[None]:
        self.sample()
        done = threading.Event()
        thread = threading.Thread(target=self._watch, args=(done,))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(_SAMPLE_SECONDS):
            self.sample()


def _name(command_line: list[str]) -> str:
    for word in ("worker", "serve", "sweep"):
        if word in command_line:
            return command_line[-1] if word == "worker" else word
    return Path(command_line[0]).name


def write_lines(path: Path, lines: int, different: int, cache: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number in range(lines):
            messages = [{"role": "user", "content": distinct(number % different)}]
            body = {"model": model_name(0), "messages": messages, "aico": {"cache": cache}}
            line = {"custom_id": f"line-{number}", "method": "POST", "url": ENDPOINT, "body": body}
            file.write(json.dumps(line) + "\n")


def run(client: Client, requests: Path) -> tuple[dict[str, Any], Phases]:
    """The batch once it has ended."""
    uploaded = client.upload(requests)
    request = {"input_file_id": uploaded["id"], "endpoint": ENDPOINT, "completion_window": "24h"}
    started = time.monotonic()
    batch = client.create_batch(request, idempotency_key=uploaded["id"])
    seen: Phases = {}
    while batch["status"] not in _ENDED:
        time.sleep(_POLL_SECONDS)
        batch = client.request("GET", f"/v1/batches/{batch['id']}")
        counts, since = batch["request_counts"], time.monotonic() - started
        seen.setdefault(batch["status"], since)
        _say(f"{since:6.0f} s  {batch['status']:12} {counts['completed'] + counts['failed']} of {counts['total']}")
    return batch, seen


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.batch", description="Measure a large batch.")
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--distinct", type=int, default=2_000, help="lines that differ (default: 2000)")
    parser.add_argument("--cache", default="semantic", help="cache mode of the lines (default: semantic)")
    asked = parser.parse_args()
    home = ROOT / STATE_DIR / "bench"
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix=f"{os.getpid()}-") as folder:
        requests = Path(folder) / "requests.jsonl"
        write_lines(requests, asked.lines, asked.distinct, asked.cache)
        size = requests.stat().st_size
        with (
            running_module("bench.mock_provider", Path(folder)) as (mock_port, _),
            running_product(Path(folder), mock_port, None) as product,
        ):
            memory = Memory(product)
            with (
                Client(f"http://{LOOPBACK}:{product.port}", product.key.get_secret_value()) as client,
                memory.sampled(),
            ):
                batch, seen = run(client, requests)
        _report(asked, size, batch, seen, memory)
    return 0 if batch["status"] == "completed" else 1


def _report(asked: argparse.Namespace, size: int, batch: dict[str, Any], seen: Phases, memory: Memory) -> None:
    total = seen[batch["status"]]
    print(f"{asked.lines:,} lines ({size / _MIB:.1f} MiB), {asked.distinct:,} of them different, cache {asked.cache}")
    print(f"{batch['status']} after {total:.0f} s: {asked.lines / total:.0f} lines a second")
    print(", ".join(f"{status} seen at {since:.0f} s" for status, since in seen.items()), end="\n\n")
    rows = [
        [name, f"{memory.before[name] / _MIB:.0f}", f"{peak / _MIB:.0f}"] for name, peak in sorted(memory.peak.items())
    ]
    print(table(("process", "MiB before", "MiB at most"), rows))


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
