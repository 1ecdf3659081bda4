"""Batches from the command line: a file of prompts in, a file of answers out; and what became of earlier ones."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from aico.cli.batch_run import Run, read_ids, read_results
from aico.cli.client import Client, Json
from aico.cli.options import AsJson, Deadline, Window
from aico.cli.prompt_lines import read_lines
from aico.cli.show import err, out
from aico.core.errors import InvalidInput
from aico.core.jobs import JobClass
from aico.core.settings import get_settings

EXIT_SOME_FAILED, EXIT_INTERRUPTED = 1, 130
DEFAULT_WINDOW = "24h"
MOST_SECONDS = 999_999  # that a window can be written in

app = typer.Typer(name="batches", help="Look at batches, and cancel them.", no_args_is_help=True)

BatchId = Annotated[str, typer.Argument(help="The batch's id, batch_….")]


def batch(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="JSON lines with `prompt` or `messages`, or in OpenAI's batch format."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the answers go, one JSON line each.")],
    deadline: Deadline = None,
    completion_window: Window = None,
    job_class: Annotated[JobClass | None, typer.Option("--class", help="Who waits for the answers.")] = None,
) -> None:
    """Answer a file of prompts. Stopped, it goes on when the same command is given again.

    The deadline is the whole batch's, a day if none is given; the class is for lines that do not say their own. Exit
    code 0: all answered; 1: some were not; 2: the file or the command is not right; 130: interrupted.
    """
    window = _window(deadline, completion_window)
    defaults: Json = {} if job_class is None else {"class": job_class.value}
    ids = {line.id for line in read_lines(file)}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Client.from_settings(get_settings()) as client, Progress(*columns, console=err) as progress:
        run = Run(client, file, output, window, defaults)
        try:
            run.answer(Bar(progress, output, ids).show)
        except KeyboardInterrupt:
            _interrupted(run)
            raise typer.Exit(EXIT_INTERRUPTED) from None
    _tell(output, ids)


class Bar:
    """How many of the file's lines have a result: those in the output, and those of the batch under way."""

    def __init__(self, progress: Progress, output: Path, ids: set[str]) -> None:
        self._progress = progress
        self._output = output
        self._ids = ids
        self._batch: str | None = None
        self._before = 0
        self._task = progress.add_task("answering", total=len(ids), completed=self._written())

    def show(self, batch: Json) -> None:
        if batch["id"] != self._batch:
            self._batch, self._before = batch["id"], self._written()
        counts = batch["request_counts"]
        done = self._before + counts["completed"] + counts["failed"]
        self._progress.update(self._task, completed=done, description=batch["status"].replace("_", " "))

    def _written(self) -> int:
        return len(self._ids & set(read_ids(self._output)))


def _window(deadline: datetime | None, completion_window: str | None) -> str:
    """A deadline as a time from now. Raises InvalidInput where both are given, or it has passed."""
    if deadline is None:
        return completion_window or DEFAULT_WINDOW
    if completion_window is not None:
        raise InvalidInput("give either --deadline or --completion-window")
    seconds = int((deadline - datetime.now(UTC)).total_seconds())
    if seconds < 1:
        raise InvalidInput("the deadline has passed")
    return f"{seconds}s" if seconds <= MOST_SECONDS else f"{seconds // 3600}h"


def _interrupted(run: Run) -> None:
    if run.batch is None:
        err.print("Stopped before the batch was made. The same command begins it.")
    else:
        err.print(f"Stopped waiting. The batch {run.batch} goes on; the same command goes on with it.")
        err.print(f"To end it: aico batches cancel {run.batch}")


def _tell(output: Path, ids: set[str]) -> None:
    found = (result for result in read_results(output) if result["id"] in ids)
    missing = Counter(result["status"] for result in found if "answer" not in result)
    if missing:
        kinds = ", ".join(f"{count} {status}" for status, count in sorted(missing.items()))
        err.print(f"{missing.total()} of {len(ids)} were not answered ({kinds}); see {output}", style="red")
        raise typer.Exit(EXIT_SOME_FAILED)


@app.command("ls")
def list_batches(
    limit: Annotated[int, typer.Option(min=1, max=100, help="The newest so many.")] = 20, as_json: AsJson = False
) -> None:
    """List batches, newest first."""
    with Client.from_settings(get_settings()) as client:
        page = client.request("GET", "/v1/batches", params={"limit": limit})
    if as_json:
        out.print_json(data=page)
        return
    table = Table(Column("id", no_wrap=True), "status", "created", "total", "completed", "failed")
    for one in page["data"]:
        counts = one["request_counts"]
        figures = (str(counts[name]) for name in ("total", "completed", "failed"))
        table.add_row(one["id"], one["status"], _clock(one["created_at"]), *figures)
    out.print(table)


@app.command("show")
def show_batch(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Everything about a batch."""
    with Client.from_settings(get_settings()) as client:
        _print(client.request("GET", f"/v1/batches/{batch_id}"), as_json=as_json)


@app.command("cancel")
def cancel_batch(batch_id: BatchId, as_json: AsJson = False) -> None:
    """End what is open of a batch. What has been answered is kept."""
    with Client.from_settings(get_settings()) as client:
        _print(client.request("POST", f"/v1/batches/{batch_id}/cancel"), as_json=as_json)


def _print(state: Json, *, as_json: bool) -> None:
    if as_json:
        out.print_json(data=state)
        return
    table = Table.grid(Column(style="bold", no_wrap=True), Column(overflow="fold"), padding=(0, 2))
    for name, value in state.items():
        if value is None or name in {"object", "errors"}:
            continue
        shown = _clock(value) if name.endswith("_at") else _words(value)
        table.add_row(name.replace("_", " "), escape(shown))
    for fault in (state.get("errors") or {}).get("data", []):
        where = f"line {fault['line']}: " if fault["line"] else ""
        table.add_row("error", escape(f"{where}{fault['message']}"))
    out.print(table)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items() if not isinstance(part, dict))
    return str(value)


def _clock(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"
