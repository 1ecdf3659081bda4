"""A file of prompts through the service's batches. Stopped half-way, the same command goes on where it was.

Beside the output lie a journal, `<output>.batch`, which remembers what was uploaded and which batch was made of it, and
`<output>.requests`, what was uploaded. A batch is made under an Idempotency-Key of the uploaded file, so that a crash
between the two makes no second one; the API remembers keys for a day.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aico.cli.batch_results import in_order
from aico.cli.client import Client, Json, Refused
from aico.cli.prompt_lines import ENDPOINT, batch_line, read_lines
from aico.core.errors import InvalidInput

MAX_LINES, MAX_BYTES = 50_000, 190 * 1024 * 1024  # of one batch; a longer file becomes several
_ENDED = {"completed", "failed", "expired", "cancelled"}
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 2.0


@dataclass(frozen=True, slots=True)
class Files:
    output: Path

    @property
    def journal(self) -> Path:
        return self._beside("batch")

    @property
    def requests(self) -> Path:
        return self._beside("requests")

    def results(self, kind: str) -> Path:
        return self._beside(kind)

    def _beside(self, suffix: str) -> Path:
        return self.output.with_name(f"{self.output.name}.{suffix}")


class Run:
    """`window`: how long a batch may take. `defaults`: controls for lines without them."""

    def __init__(self, client: Client, source: Path, output: Path, window: str, defaults: Mapping[str, Any]) -> None:
        self._client = client
        self._source = source
        self._files = Files(output)
        self._window = window
        self._defaults = defaults

    def answer(self, on_poll: Callable[[Json], None]) -> None:
        """Until the output holds every line. `on_poll` sees the batch each time that it was looked at."""
        repair(self._files.output)
        repair(self._files.journal)
        while (batch := self._open_batch()) is not None:
            self._collect(self._ended(batch, on_poll))

    @property
    def batch(self) -> str | None:
        """The batch that is under way, as far as the journal knows."""
        entry = self._last()
        return None if entry is None or "batch" not in entry else str(entry["batch"])

    def _open_batch(self) -> str | None:
        """The one that the journal knows, or one of what is left to be asked. None: nothing is."""
        entry = self._last()
        if entry is None or {"collected", "dropped"} & entry.keys():
            if not self._write_requests():
                self._files.requests.unlink()
                return None
            uploaded = self._client.upload(self._files.requests)
            entry = {"file": uploaded["id"], "window": self._window}
            self._note(entry)
        if "batch" in entry:
            return str(entry["batch"])
        return self._create(entry["file"], entry["window"])

    def _create(self, file: str, window: str) -> str:
        request = {"input_file_id": file, "endpoint": ENDPOINT, "completion_window": window}
        try:
            made = self._client.create_batch(request, idempotency_key=f"aico-batch-{file}")
        except Refused:
            self._note({"dropped": file})  # the next command begins anew
            raise
        self._note({"batch": made["id"]})
        return str(made["id"])

    def _write_requests(self) -> int:
        """The lines that the output does not hold yet, as many as a batch takes; how many those are."""
        done = set(read_ids(self._files.output))
        count = size = 0
        with self._files.requests.open("w", encoding="utf-8") as requests:
            for line in read_lines(self._source):
                text = json.dumps(batch_line(line, self._defaults)) + "\n"
                if line.id in done or count == MAX_LINES or size + len(text) > MAX_BYTES:
                    continue
                count, size = count + 1, size + len(text)
                requests.write(text)
        return count

    def _ended(self, batch_id: str, on_poll: Callable[[Json], None]) -> Json:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            batch = self._client.request("GET", f"/v1/batches/{batch_id}")
            on_poll(batch)
            if batch["status"] in _ENDED:
                return batch
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _collect(self, batch: Json) -> None:
        """Append its results to the output, in the order of the requests. Raises InvalidInput where it was refused."""
        if batch["status"] == "failed":
            self._note({"collected": batch["id"]})
            raise InvalidInput(f"the batch was refused: {_faults(batch)}")
        kinds = {"answers": batch["output_file_id"], "errors": batch["error_file_id"]}
        for kind, file in kinds.items():
            self._client.download(file, self._files.results(kind))
        self._append(batch["status"])
        self._note({"collected": batch["id"]})
        for kind in kinds:
            self._files.results(kind).unlink()
        self._files.requests.unlink()

    def _append(self, status: str) -> None:
        done = set(read_ids(self._files.output))
        answers, errors = (_texts(self._files.results(kind)) for kind in ("answers", "errors"))
        if not self._files.requests.exists():
            raise InvalidInput(f"{self._files.requests} is gone, which says in which order the results are to be")
        with self._files.output.open("a", encoding="utf-8") as output:
            for result in in_order(_texts(self._files.requests), answers, errors, status):
                if result["id"] not in done:
                    output.write(json.dumps(result, ensure_ascii=False) + "\n")

    def _last(self) -> Json | None:
        entries = list(_whole_lines(self._files.journal))
        return entries[-1] if entries else None

    def _note(self, entry: Json) -> None:
        """On the disk before anything else happens."""
        with self._files.journal.open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(entry) + "\n")
            journal.flush()
            os.fsync(journal.fileno())


def read_results(path: Path) -> Iterator[Json]:
    return _whole_lines(path)


def read_ids(path: Path) -> Iterator[str]:
    return (entry["id"] for entry in _whole_lines(path))


def repair(path: Path) -> None:
    """Cut off a last line that a crash left unfinished, so that the next one starts on its own."""
    if not path.exists():
        return
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        path.write_bytes(data[: data.rfind(b"\n") + 1])


def _whole_lines(path: Path) -> Iterator[Json]:
    """The last may have been cut off by a crash."""
    for text in _texts(path) if path.exists() else ():
        if text.endswith("\n"):
            yield json.loads(text)


def _texts(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        yield from file


def _faults(batch: Json) -> str:
    faults = (batch.get("errors") or {}).get("data") or []
    return "; ".join(f"line {fault['line']}: {fault['message']}" for fault in faults[:3]) or "it does not say why"
