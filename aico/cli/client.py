"""The command line's view of the API: patient with restarts, precise about refusals."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx2

from aico.api.idempotency import HEADER
from aico.core.errors import AicoError, InvalidInput, Unauthorized, Unavailable
from aico.core.jobs import JobClass, JobStatus
from aico.core.settings import Settings
from aico.store.dead_letters import Filter

Json = dict[str, Any]

_AGAIN = {429, 502, 503, 504}
_POLL_SECONDS = 20
_PAGE = 100  # entries, as many as the API lists or replays well at once


class Refused(AicoError):
    """The API understood and said no."""

    def __init__(self, status: int, detail: str, param: str | None = None) -> None:
        super().__init__(detail, param=param)
        self.http_status = status


class Client:
    def __init__(self, url: str, key: str | None = None, *, patience_seconds: float = 60) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=_POLL_SECONDS + 15)
        self._patience = patience_seconds

    @classmethod
    def from_settings(cls, settings: Settings) -> "Client":
        if settings.aico_api_key is None:
            raise Unauthorized("no API key: set AICO_API_KEY, or start `aico up` in this folder, which writes one")
        return cls(settings.cost_optimizer_api_url, settings.aico_api_key.get_secret_value())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def submit(self, request: Mapping[str, Any], *, idempotency_key: str | None = None) -> Json:
        """One job however often it has to be sent: the key, by default one of this call alone, stands for it.

        Raises InvalidInput for a key that no header can hold.
        """
        headers = {HEADER: _quoted(str(uuid4()) if idempotency_key is None else idempotency_key)}
        return self.request("POST", "/v1/jobs", json=dict(request), headers=headers)

    def get(self, job_id: str, *, wait_seconds: int = 0) -> Json:
        return self._patiently(lambda: self._http.get(f"/v1/jobs/{job_id}", params={"wait": wait_seconds}))

    def wait(self, job_id: str, *, on_poll: Callable[[Json], None] = lambda _: None) -> Json:
        """The job once it has ended."""
        while True:
            job = self.get(job_id, wait_seconds=_POLL_SECONDS)
            on_poll(job)
            if job["status"] not in {"queued", "in_progress"}:
                return job

    def jobs(
        self, *, status: JobStatus | None = None, job_class: JobClass | None = None, limit: int | None = None
    ) -> Iterator[Json]:
        """Pages of jobs, newest first, with at most `limit` jobs on all of them together."""
        return self._pages("/v1/jobs", {"status": status, "class": job_class}, limit)

    def dead_letters(
        self,
        *,
        status: JobStatus | None = None,
        job_class: JobClass | None = None,
        error_code: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Json]:
        """Likewise, of jobs that failed or expired and were not replayed."""
        return self._pages("/v1/dead-letters", {"status": status, "class": job_class, "error_code": error_code}, limit)

    def cancel(self, job_id: str) -> Json:
        """The cancelled job. Raises Refused (409) where it has ended otherwise."""
        return self.request("POST", f"/v1/jobs/{job_id}/cancel")

    def replay(self, job_id: str) -> Json:
        """The new job. Raises Refused (409) where there is one already, be it from a call whose answer was lost."""
        return self.request("POST", f"/v1/jobs/{job_id}/replay")

    def replay_letters(self, chosen: Filter, limit: int) -> Iterator[Json]:
        """Replays the oldest `limit` of the chosen dead letters, some at a time, and says which became what.

        Each letter is replayed once. Those of a call whose answer was lost are not told, nor counted against `limit`.
        """
        fields = _chosen(chosen)
        left = limit
        while left > 0:
            asked = min(left, _PAGE)
            page = self.request("POST", "/v1/dead-letters/replay", json={**fields, "limit": asked})
            yield page
            if not page["has_more"]:
                return
            left -= asked

    def upload(self, path: Path) -> Json:
        """A file of a batch's requests, streamed from the disk."""

        def send() -> httpx2.Response:
            with path.open("rb") as file:
                return self._http.post("/v1/files", files={"file": (path.name, file)}, data={"purpose": "batch"})

        return self._patiently(send)

    def create_batch(self, request: Mapping[str, Any], *, idempotency_key: str) -> Json:
        """One batch however often it has to be sent."""
        headers = {HEADER: _quoted(idempotency_key)}
        return self.request("POST", "/v1/batches", json=dict(request), headers=headers)

    def download(self, file_id: str | None, path: Path) -> None:
        """The content of a file, streamed to the disk; nothing where there is no file."""
        if file_id is None:
            path.write_bytes(b"")
            return

        def fetch() -> httpx2.Response:
            with self._http.stream("GET", f"/v1/files/{file_id}/content") as response, path.open("wb") as file:
                if not response.is_success:
                    response.read()
                    return response
                for data in response.iter_bytes():
                    file.write(data)
            return response

        response = self._answered(fetch)
        if not response.is_success:
            _read(response)

    def costs(self, days: int) -> Json:
        return self._patiently(lambda: self._http.get("/costs/summary", params={"days": days}))

    def savings(self, days: int) -> Json:
        return self._patiently(lambda: self._http.get("/v1/savings", params={"days": days}))

    def request(self, method: str, path: str, **options: Any) -> Json:
        """Any route, patiently; `options` as httpx2 takes them. Empty when the answer is."""
        return self._patiently(lambda: self._http.request(method, path, **options))

    def health(self) -> Json:
        """Without patience: whoever asks wants to know how it is now."""
        try:
            return dict(self._http.get("/health").json())
        except (httpx2.TransportError, ValueError) as error:
            raise Unavailable(f"no API answers at {self._http.base_url}") from error

    def _pages(self, path: str, filters: Mapping[str, str | None], limit: int | None) -> Iterator[Json]:
        params: Json = {name: value for name, value in filters.items() if value is not None}
        left = sys.maxsize if limit is None else limit
        while left > 0:
            page = self.request("GET", path, params={**params, "limit": min(left, _PAGE)})
            yield page
            if not page["has_more"]:
                return
            params["after"] = page["next"]
            left -= len(page["data"])

    def _patiently(self, call: Callable[[], httpx2.Response]) -> Json:
        """Raises Refused where the API says no."""
        return _read(self._answered(call))

    def _answered(self, call: Callable[[], httpx2.Response]) -> httpx2.Response:
        """Ride out restarts of the service; raises Unavailable when time is up."""
        give_up = time.monotonic() + self._patience
        pause = 0.1
        while True:
            try:
                response = call()
            except httpx2.TransportError:
                response = None
            if response is not None and response.status_code not in _AGAIN:
                return response
            if time.monotonic() + pause > give_up:
                raise Unavailable(f"no API answers at {self._http.base_url}; start one with `aico up`")
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


def _read(response: httpx2.Response) -> Json:
    if response.is_success:
        return dict(response.json()) if response.content else {}
    try:
        problem = response.json()
        problem = problem.get("error", problem)  # OpenAI's routes have OpenAI's errors
        detail, param = problem.get("detail") or problem["message"], problem.get("param")
    except (ValueError, KeyError, TypeError):
        detail, param = f"the API answered {response.status_code}", None
    raise Refused(response.status_code, str(detail), param)


def _chosen(letters: Filter) -> Json:
    """As `POST /v1/dead-letters/replay` takes it."""
    fields = {
        "ids": None if letters.ids is None else [str(letter) for letter in letters.ids],
        "status": letters.status,
        "class": letters.job_class,
        "error_code": letters.error_code,
        "created_since": letters.since and letters.since.isoformat(),
        "created_before": letters.until and letters.until.isoformat(),
        "metadata": letters.metadata,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _quoted(key: str) -> str:
    """As structured fields write a string (RFC 9651), so that white space and quotation marks are the key's own."""
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput("an idempotency key is printable ASCII")
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
