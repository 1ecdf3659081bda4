"""A file of prompts in, a file of answers out. Stopped half-way, the same command goes on where it was.

Beside the output, `<output>.jobs` remembers which line became which job, so that a line that was already submitted is
waited for and not paid for twice.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from aico.cli.client import Client, Json, Refused
from aico.cli.show import err
from aico.core.errors import InvalidInput
from aico.core.settings import get_settings

EXIT_SOME_FAILED = 1
_NOTES = {"id", "relation"}  # fields of a line that are the file's own


@dataclass(frozen=True, slots=True)
class Line:
    id: str
    request: Json


def read_lines(path: Path) -> list[Line]:
    """Raises InvalidInput with the number of the first line that is no request, before anything is sent."""
    lines = []
    seen: set[str] = set()
    with path.open(encoding="utf-8", errors="strict") as file:
        for number, text in _numbered(path, file):
            line = _line(path, number, text)
            if line.id in seen:
                raise InvalidInput(f"{path}:{number}: the id {line.id!r} stands there twice")
            seen.add(line.id)
            lines.append(line)
    if not lines:
        raise InvalidInput(f"{path} holds no requests")
    return lines


def _numbered(path: Path, file: TextIO) -> Iterator[tuple[int, str]]:
    try:
        for number, text in enumerate(file, 1):
            if text.strip():
                yield number, text
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8") from error


def _line(path: Path, number: int, text: str) -> Line:
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{path}:{number}: not JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(fields, dict) or not ({"prompt", "messages"} & fields.keys()):
        raise InvalidInput(f"{path}:{number}: each line is an object with `prompt` or `messages`")
    request = {name: value for name, value in fields.items() if name not in _NOTES}
    return Line(str(fields.get("id", number)), request)


class Run:
    """One pass over the lines that the output does not hold yet."""

    def __init__(self, client: Client, output: Path, concurrency: int) -> None:
        self._client = client
        self._output = output
        self._journal = output.with_name(output.name + ".jobs")
        self._concurrency = concurrency

    def todo(self, lines: list[Line]) -> list[Line]:
        done = _read_ids(self._output)
        return [line for line in lines if line.id not in done]

    def results(self, lines: list[Line]) -> Iterator[Json]:
        """Each line's result as it comes, already written to the output. At most `concurrency` are under way."""
        jobs = {entry["id"]: entry["job"] for entry in _read(self._journal)}
        waiting = iter(lines)
        running: set[Future[Json]] = set()
        with (
            ThreadPoolExecutor(self._concurrency) as pool,
            self._output.open("a", encoding="utf-8") as output,
            self._journal.open("a", encoding="utf-8") as journal,
        ):
            while True:
                for line in waiting:
                    running.add(pool.submit(self._one, line, jobs.get(line.id), journal))
                    if len(running) >= self._concurrency:
                        break
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    output.write(json.dumps(result, ensure_ascii=False) + "\n")
                    output.flush()
                    yield result

    def _one(self, line: Line, job_id: str | None, journal: TextIO) -> Json:
        try:
            if job_id is None:
                job_id = str(self._client.submit(line.request)["id"])
                journal.write(json.dumps({"id": line.id, "job": job_id}) + "\n")
                journal.flush()
            return {"id": line.id, **_result(self._client.wait(job_id))}
        except Refused as error:
            return {"id": line.id, "status": "refused", "error": {"message": error.detail}}


def _result(job: Mapping[str, Any]) -> Json:
    fields = ("status", "answer", "routing", "error", "created_at", "finished_at")
    return {"job": job["id"], **{name: job[name] for name in fields if name in job}}


def _read(path: Path) -> Iterator[Json]:
    """Whole lines only: the last may have been cut off by a crash."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for text in file:
            if text.endswith("\n"):
                yield json.loads(text)


def _read_ids(path: Path) -> set[str]:
    return {entry["id"] for entry in _read(path)}


def repair(path: Path) -> None:
    """Cut off a last line that a crash left unfinished, so that the next one starts on its own."""
    if not path.exists():
        return
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        path.write_bytes(data[: data.rfind(b"\n") + 1])


def batch(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON lines with `prompt` or `messages`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the answers go, one JSON line each.")],
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Jobs under way at once.")] = 16,
) -> None:
    """Answer a file of prompts. Exit code 0: all answered; 1: some were not; 2: the file is not right."""
    lines = read_lines(file)
    repair(output)
    repair(output.with_name(output.name + ".jobs"))
    failed = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Client.from_settings(get_settings()) as client, Progress(*columns, console=err) as progress:
        run = Run(client, output, concurrency)
        todo = run.todo(lines)
        task = progress.add_task("answering", total=len(lines), completed=len(lines) - len(todo))
        for result in run.results(todo):
            failed += "answer" not in result
            progress.advance(task)
    if failed:
        err.print(f"{failed} of {len(lines)} were not answered; see {output}", style="red")
        raise typer.Exit(EXIT_SOME_FAILED)
