"""One HTTP exchange at a time: bounded in time and size, never redirected, failing as ProviderError."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from http import HTTPStatus

import httpx2
from pydantic import SecretStr

from aico.core.redact import redact
from aico.routing.providers.failures import OVERSIZED, FailureKind, ProviderError, failure_kind
from aico.routing.providers.refusal import refusal, secrets_of
from aico.routing.providers.transport import tls
from aico.routing.providers.wire import HttpRequest, WireError

_CONNECT_SECONDS = 10.0


class Exchange:
    """Thread-safe. `name` is the provider's; `parse_error` explains an answer whose HTTP status is no success."""

    def __init__(
        self,
        name: str,
        api_key: SecretStr | None,
        parse_error: Callable[[int, bytes], WireError],
        *,
        max_connections: int,
        transport: httpx2.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._api_key = api_key
        self._parse_error = parse_error
        self._clock = clock
        self._client = httpx2.Client(
            verify=tls(),
            limits=httpx2.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
            transport=transport,
            headers={"User-Agent": "aico"},
            follow_redirects=False,  # the key would travel along
        )

    def close(self) -> None:
        self._client.close()

    def with_key(self, api_key: SecretStr) -> "Exchange":
        """The same, over the same connections, for requests that carry another key."""
        other = copy(self)
        other._api_key = api_key  # noqa: SLF001 - of the same class
        return other

    @contextmanager
    def opened(self, request: HttpRequest, *, seconds: float, max_bytes: int) -> Iterator[Iterator[bytes]]:
        """The pieces of a successful answer's body, as they come.

        `seconds` bounds the time spent waiting for the provider, not what the reader does between two pieces.
        Raises ProviderError, also for a WireError that the reader raises inside the block.
        """
        status: int | None = None
        started = self._clock()
        limits = httpx2.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
        try:
            with self._client.stream(
                request.method, request.url, headers=dict(request.headers), content=request.body, timeout=limits
            ) as response:
                status = response.status_code
                chunks = self._chunks(response, seconds - (self._clock() - started), max_bytes)
                if status >= HTTPStatus.MULTIPLE_CHOICES:
                    raise refusal(response, chunks, self._parse_error, secrets_of(self._api_key))
                yield chunks
        except WireError as error:
            raise self.failure(error, status) from error
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
            raise ProviderError(FailureKind.FATAL, f"the address of {self._name} is not usable") from error
        except httpx2.HTTPError as error:
            message = f"the connection to {self._name} failed: {type(error).__name__}"
            raise ProviderError(FailureKind.RETRYABLE, message, http_status=status) from error

    def fetch(self, request: HttpRequest, *, seconds: float, max_bytes: int) -> bytes:
        """The whole body of a successful answer; otherwise as `opened`."""
        with self.opened(request, seconds=seconds, max_bytes=max_bytes) as chunks:
            return b"".join(chunks)

    def failure(self, error: WireError, status: int | None = None) -> ProviderError:
        status = error.status or status
        return ProviderError(failure_kind(status, error.code), self.redacted(error.message), http_status=status)

    def redacted(self, message: str) -> str:
        return redact(message, *secrets_of(self._api_key))

    def _chunks(self, response: httpx2.Response, seconds: float, max_bytes: int) -> Iterator[bytes]:
        left, size = seconds, 0
        chunks = response.iter_bytes()
        while True:
            # The client's own timeout is for each read: a read may take no longer than what is left of the whole.
            response.request.extensions["timeout"]["read"] = max(0.001, left)
            asked = self._clock()
            chunk = next(chunks, None)
            left -= self._clock() - asked
            if chunk is None:
                return
            size += len(chunk)
            if size > max_bytes:
                raise WireError(f"the answer exceeds {max_bytes} bytes", code=OVERSIZED)
            if left < 0:
                raise WireError(f"{self._name} took longer than the exchange was given")
            yield chunk
