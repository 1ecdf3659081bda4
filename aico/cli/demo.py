"""The demonstration: a file of prompts through the whole pipeline, then what it cost."""

import json
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from aico.cli.client import Client, Json
from aico.cli.prompt_lines import Line, read_lines
from aico.cli.show import HITS, cents, out

CALLERS = 4  # a small model on a small machine answers few at once


@dataclass(frozen=True, slots=True)
class Answered:
    line: Line
    job: Json
    seconds: float  # from submitting to reading the answer

    @property
    def way(self) -> str:
        return HITS.get(self.job["routing"]["cache"], "called") if "answer" in self.job else "not answered"


def send(client: Client, file: Path) -> list[Answered]:
    """Every prompt of the file, a few at a time and in order, so that repeats come after what they repeat."""
    lines = list(read_lines(file))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    lock = threading.Lock()
    with Progress(*columns, console=out) as progress, ThreadPoolExecutor(CALLERS) as pool:
        task = progress.add_task("prompts", total=len(lines))

        def one(line: Line) -> Answered:
            started = time.monotonic()
            submitted = client.submit(line.request)
            job = submitted if "answer" in submitted else client.wait(submitted["id"])
            with lock:
                progress.advance(task)
            return Answered(line, job, time.monotonic() - started)

        return list(pool.map(one, lines))


def summary(answers: Sequence[Answered]) -> Table:
    """One row for each way of answering and model, and a last one for all."""
    groups: dict[tuple[str, str], list[Answered]] = defaultdict(list)
    for answer in answers:
        routing = answer.job.get("routing", {})
        groups[answer.way, f"{routing['provider']}/{routing['model']}" if routing else "-"].append(answer)
    table = Table(title="What became of the prompts")
    for name in ("how", "provider/model"):
        table.add_column(name)
    for name in ("answers", "tokens", "cost", "baseline", "saved", "p50", "p95"):
        table.add_column(name, justify="right", no_wrap=True)
    for (way, model), members in sorted(groups.items()):
        table.add_row(way, model, *_figures(members))
    table.add_section()
    table.add_row("answered", "", *_figures([answer for answer in answers if "answer" in answer.job]), style="bold")
    return table


def _figures(answers: Sequence[Answered]) -> tuple[str, ...]:
    routings = [answer.job.get("routing", {}) for answer in answers]
    tokens = sum(
        answer.job["answer"]["input_tokens"] + answer.job["answer"]["output_tokens"]
        for answer in answers
        if answer.way == "called"
    )
    cost = sum((Decimal(routing.get("cost_cents") or 0) for routing in routings), Decimal(0))
    baseline = sum((Decimal(routing.get("baseline_cost_cents") or 0) for routing in routings), Decimal(0))
    seconds = sorted(answer.seconds for answer in answers)
    return (
        str(len(answers)),
        f"{tokens:,}",
        cents(cost),
        cents(baseline),
        cents(baseline - cost),
        _duration(statistics.median(seconds)) if seconds else "-",
        _duration(seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]) if seconds else "-",
    )


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def relations(file: Path, answers: Sequence[Answered]) -> Table:
    """How repeats, paraphrases and near-misses were served: a near-miss served from the cache is a wrong answer."""
    kinds = {}
    with file.open(encoding="utf-8") as lines:
        for text in lines:
            fields = json.loads(text)
            kinds[str(fields.get("id"))] = fields.get("relation", {}).get("kind", "first of its kind")
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for answer in answers:
        counted[kinds[answer.line.id]][answer.way] += 1
    ways = (*HITS.values(), "called", "not answered")
    table = Table("written as", *ways, title="Served by kind of prompt")
    for kind, ways_of_kind in counted.items():
        table.add_row(kind.replace("_", "-"), *(str(ways_of_kind[way]) for way in ways))
    return table
