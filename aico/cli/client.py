"""The command line's view of the API: patient with restarts, precise about refusals."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import httpx2

from aico.core.errors import AicoError, Unauthorized, Unavailable
from aico.core.settings import Settings

Json = dict[str, Any]

_AGAIN = {429, 502, 503, 504}
_POLL_SECONDS = 20


class Refused(AicoError):
    """The API understood and said no."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
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

    def submit(self, request: Mapping[str, Any]) -> Json:
        return self._patiently(lambda: self._http.post("/v1/jobs", json=dict(request)))

    def get(self, job_id: str, *, wait_seconds: int = 0) -> Json:
        return self._patiently(lambda: self._http.get(f"/v1/jobs/{job_id}", params={"wait": wait_seconds}))

    def wait(self, job_id: str, *, on_poll: Callable[[Json], None] = lambda _: None) -> Json:
        """The job once it has ended."""
        while True:
            job = self.get(job_id, wait_seconds=_POLL_SECONDS)
            on_poll(job)
            if job["status"] not in {"queued", "in_progress"}:
                return job

    def costs(self, days: int) -> Json:
        return self._patiently(lambda: self._http.get("/costs/summary", params={"days": days}))

    def health(self) -> Json:
        """Without patience: whoever asks wants to know how it is now."""
        try:
            return dict(self._http.get("/health").json())
        except (httpx2.TransportError, ValueError) as error:
            raise Unavailable(f"no API answers at {self._http.base_url}") from error

    def _patiently(self, call: Callable[[], httpx2.Response]) -> Json:
        """Ride out restarts of the service; raises Refused for any other refusal and Unavailable when time is up."""
        give_up = time.monotonic() + self._patience
        pause = 0.1
        while True:
            try:
                response = call()
            except httpx2.TransportError:
                response = None
            if response is not None and response.status_code not in _AGAIN:
                return _read(response)
            if time.monotonic() + pause > give_up:
                raise Unavailable(f"no API answers at {self._http.base_url}; start one with `aico up`")
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


def _read(response: httpx2.Response) -> Json:
    if response.is_success:
        return dict(response.json())
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError):
        detail = f"the API answered {response.status_code}"
    raise Refused(response.status_code, str(detail))
