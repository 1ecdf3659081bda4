"""A file of prompts in, a file of answers out. Stopped half-way, the same command goes on where it was.

Beside the output, a journal, `<output>.jobs`, remembers which line became which job, so that a line that was already
submitted is waited for and not paid for twice. A crash may come between the two; so each line is submitted under an
Idempotency-Key, a hash of the journal's own random id, of the line's id and of what is asked. The key changes with any
of them: with the line, with the command's deadline and class where the line has none, and when the journal is deleted.
The API remembers keys for a day.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TextIO
from uuid import uuid4

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from aico.cli.client import Client, Json, Refused
from aico.cli.options import Deadline, Window, due
from aico.cli.show import err
from aico.core.canonical import canonical_json
from aico.core.errors import InvalidInput
from aico.core.jobs import JobClass
from aico.core.settings import get_settings

EXIT_SOME_FAILED = 1
_NOTES = {"id", "relation"}  # fields of a line that are the file's own
_DUE = {"deadline", "completion_window"}  # one excludes the other
_OF_THE_RUN = {401, 403}  # refusals that meet every line alike


_NONE: Mapping[str, Any] = MappingProxyType({})


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
    try:
        canonical_json(request)
    except ValueError as error:
        raise InvalidInput(f"{path}:{number}: NaN, infinity and half of a surrogate pair cannot be sent") from error
    return Line(str(fields.get("id", number)), request)


class Run:
    """One pass over the lines that the output does not hold yet. `defaults` are fields for lines without them."""

    def __init__(self, client: Client, output: Path, concurrency: int, defaults: Mapping[str, Any] = _NONE) -> None:
        self._client = client
        self._output = output
        self._journal = output.with_name(output.name + ".jobs")
        self._concurrency = concurrency
        self._defaults = defaults

    def todo(self, lines: list[Line]) -> list[Line]:
        done = _read_ids(self._output)
        return [line for line in lines if line.id not in done]

    def results(self, lines: list[Line]) -> Iterator[Json]:
        """Each line's result as it comes, already written to the output. At most `concurrency` are under way."""
        jobs = {entry["id"]: entry["job"] for entry in _read(self._journal) if "job" in entry}
        run = self._id()
        waiting = iter(lines)
        running: set[Future[Json]] = set()
        with (
            ThreadPoolExecutor(self._concurrency) as pool,
            self._output.open("a", encoding="utf-8") as output,
            self._journal.open("a", encoding="utf-8") as journal,
        ):
            while True:
                for line in waiting:
                    running.add(pool.submit(self._one, run, line, jobs.get(line.id), journal))
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

    def _id(self) -> str:
        """The journal's random id, on the disk before the first line is submitted under it."""
        for entry in _read(self._journal):
            if "run" in entry:
                return str(entry["run"])
        run = str(uuid4())
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.write(json.dumps({"run": run}) + "\n")
            journal.flush()
            os.fsync(journal.fileno())
        return run

    def _one(self, run: str, line: Line, job_id: str | None, journal: TextIO) -> Json:
        try:
            if job_id is None:
                request = with_defaults(line.request, self._defaults)
                key = hashlib.sha256(canonical_json([run, line.id, request])).hexdigest()
                job_id = str(self._client.submit(request, idempotency_key=key)["id"])
                journal.write(json.dumps({"id": line.id, "job": job_id}) + "\n")
                journal.flush()
            return {"id": line.id, **_result(self._client.wait(job_id))}
        except Refused as error:
            if error.http_status in _OF_THE_RUN or (error.param in self._defaults and error.param not in line.request):
                raise  # no fault of the line, which is to be tried again
            return {"id": line.id, "status": "refused", "error": {"message": error.detail}}


def with_defaults(request: Json, defaults: Mapping[str, Any]) -> Json:
    """The request's own fields win, and its own deadline over either kind of default."""
    overruled = _DUE if _DUE & request.keys() else set()
    return {**{name: value for name, value in defaults.items() if name not in overruled}, **request}


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
    deadline: Deadline = None,
    completion_window: Window = None,
    job_class: Annotated[JobClass | None, typer.Option("--class", help="Who waits for the answers.")] = None,
) -> None:
    """Answer a file of prompts. Deadline and class are for lines that do not say their own.

    Exit code 0: all answered; 1: some were not; 2: the file or the command is not right.
    """
    defaults: Json = due(deadline, completion_window) | ({} if job_class is None else {"class": job_class.value})
    lines = read_lines(file)
    repair(output)
    repair(output.with_name(output.name + ".jobs"))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Client.from_settings(get_settings()) as client, Progress(*columns, console=err) as progress:
        run = Run(client, output, concurrency, defaults)
        todo = run.todo(lines)
        task = progress.add_task("answering", total=len(lines), completed=len(lines) - len(todo))
        for _ in run.results(todo):
            progress.advance(task)
    ids = {line.id for line in lines}
    found = (result for result in _read(output) if result["id"] in ids)
    missing = Counter(result["status"] for result in found if "answer" not in result)
    if missing:
        kinds = ", ".join(f"{count} {status}" for status, count in sorted(missing.items()))
        err.print(f"{missing.total()} of {len(lines)} were not answered ({kinds}); see {output}", style="red")
        raise typer.Exit(EXIT_SOME_FAILED)
