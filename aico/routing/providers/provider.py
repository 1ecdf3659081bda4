"""One provider behind one call: its profile, its wire format and a pool of connections."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType

import httpx2
from pydantic import SecretStr

from aico.core.chat import ChatRequest, Completion
from aico.core.redact import redact
from aico.core.settings import Settings
from aico.routing.models import Model
from aico.routing.providers.anthropic_messages import AnthropicMessages
from aico.routing.providers.assembly import Assembly
from aico.routing.providers.failures import (
    OVERSIZED,
    TRUNCATED,
    UNREADABLE,
    Cause,
    FailureKind,
    ProviderError,
    failure_kind,
)
from aico.routing.providers.gemini_generate import GeminiGenerate
from aico.routing.providers.openai_chat import OpenAIChat
from aico.routing.providers.profiles import PROFILES, Profile, WireName
from aico.routing.providers.rate_headers import nothing_left_for
from aico.routing.providers.refusal import refusal, secrets_of
from aico.routing.providers.sse import EventDecoder
from aico.routing.providers.transport import CallStopped, DeadlinePassed, limited_call, make_interruptible, tls
from aico.routing.providers.wire import CacheHint, HttpRequest, Wire, WireError
from aico.tracing.genai import Address

OnDelta = Callable[[str], None]

_WIRES: Mapping[WireName, Wire] = MappingProxyType(
    {
        "openai_chat": OpenAIChat(),
        "anthropic_messages": AnthropicMessages(),
        "gemini_generate": GeminiGenerate(),
    }
)
MAX_ANSWER_BYTES = 8 * 1024 * 1024
_KEEP_ALIVE_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_NO_ANSWER = {UNREADABLE, TRUNCATED}


class Provider:
    """Thread-safe. `max_connections` is the number of calls in flight that it is sized for: so many stay open.

    A call beyond that opens a connection of its own: nobody ever waits for one, which no question could cut short.
    """

    def __init__(
        self,
        profile: Profile,
        api_key: SecretStr | None,
        *,
        max_connections: int,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.profile = profile
        self._api_key = api_key
        self._wire = _WIRES[profile.wire]
        self._client = httpx2.Client(
            verify=tls(),
            limits=httpx2.Limits(
                max_connections=None,
                max_keepalive_connections=max_connections,
                keepalive_expiry=_KEEP_ALIVE_SECONDS,
            ),
            transport=transport,
            headers={"User-Agent": "aico"},
        )
        make_interruptible(self._client)

    @property
    def address(self) -> Address | None:
        url = httpx2.URL(self.profile.base_url)
        return Address(url.host, url.port) if url.host else None

    def close(self) -> None:
        self._client.close()

    def send_message(
        self,
        request: ChatRequest,
        model: Model,
        *,
        timeout: float,
        on_delta: OnDelta | None = None,
        should_stop: Callable[[], bool] | None = None,
        api_key: SecretStr | None = None,
        on_empty: Callable[[float], None] | None = None,
        caching: CacheHint | None = None,
    ) -> Completion:
        """The model's whole answer; with `on_delta`, also each piece of the first choice's text as it comes.

        `api_key` is sent instead of the operator's: connections know no keys, so that all share them.
        `on_empty` is told in how many seconds there is something left again, where the answer's headers say that
        nothing is left of a limit. `caching` says what the provider is to keep of the prompt.

        `timeout` (seconds) bounds the whole call, however slowly bytes arrive. Raises ProviderError, or CallStopped
        within a quarter of a second of `should_stop` saying so; whatever `on_delta` raises ends the call and passes
        through. A call that ended early takes its connection with it.
        """
        key = api_key or self._api_key
        streamed = on_delta is not None
        call = self._wire.build_request(self.profile, key, model, request, stream=streamed, caching=caching)
        with limited_call(time.monotonic() + timeout, should_stop or _never):
            completion = self._send(call, timeout, on_delta, key, on_empty or _unheard)
        return completion if completion.model else completion.model_copy(update={"model": model.provider_model})

    def _send(
        self,
        call: HttpRequest,
        timeout: float,
        on_delta: OnDelta | None,
        api_key: SecretStr | None,
        on_empty: Callable[[float], None],
    ) -> Completion:
        answer, secrets = Assembly(), secrets_of(api_key)
        status: int | None = None
        limits = httpx2.Timeout(timeout, connect=_CONNECT_SECONDS)
        try:
            with self._client.stream(
                call.method, call.url, headers=dict(call.headers), content=call.body, timeout=limits
            ) as response:
                status = response.status_code
                if (seconds := nothing_left_for(response.headers, datetime.now(UTC))) is not None:
                    on_empty(seconds)
                if status >= HTTPStatus.MULTIPLE_CHOICES:
                    raise refusal(response, _chunks(response), self._wire.parse_error, secrets)
                if on_delta is None:
                    return self._wire.parse_response(b"".join(_chunks(response)))
                return self._relay(_chunks(response), answer, on_delta)
        except CallStopped:
            raise CallStopped(answer.reported_usage(self._wire.normalise_usage)) from None
        except DeadlinePassed as error:
            slow = WireError(f"{self.profile.name} took longer than the attempt was given")
            raise self._failure(slow, status, answer, secrets, Cause.TIMEOUT) from error
        except WireError as error:
            cause = Cause.UNREADABLE if error.code in _NO_ANSWER else None
            raise self._failure(error, error.status or status, answer, secrets, cause) from error
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
            raise ProviderError(FailureKind.FATAL, f"the address of {self.profile.name} is not usable") from error
        except httpx2.HTTPError as error:
            broken = WireError(f"the connection to {self.profile.name} failed: {type(error).__name__}")
            raise self._failure(broken, status, answer, secrets, _cause(error)) from error

    def _relay(self, chunks: Iterator[bytes], answer: Assembly, on_delta: OnDelta) -> Completion:
        decoder = EventDecoder()
        try:
            for chunk in chunks:
                said = "".join(answer.add(self._wire.parse_event(data)) for data in decoder.feed(chunk))
                if said:  # what arrived together is told together, or not at all
                    answer.told = True
                    on_delta(said)
        except UnicodeDecodeError as error:
            raise WireError("unreadable answer: not UTF-8", code=UNREADABLE) from error
        return answer.completion(self._wire.normalise_usage)

    def _failure(
        self, error: WireError, status: int | None, answer: Assembly, secrets: Sequence[str], cause: Cause | None
    ) -> ProviderError:
        return ProviderError(
            failure_kind(status, error.code),
            redact(error.message, *secrets),
            http_status=status,
            content_started=answer.told,
            usage=answer.reported_usage(self._wire.normalise_usage),
            code=error.code,
            cause=cause,
        )


def _cause(error: httpx2.HTTPError) -> Cause:
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
        return Cause.UNREACHABLE
    return Cause.TIMEOUT if isinstance(error, httpx2.TimeoutException) else Cause.BROKEN


def _chunks(response: httpx2.Response) -> Iterator[bytes]:
    size = 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise WireError(f"the answer exceeds {MAX_ANSWER_BYTES} bytes", code=OVERSIZED)
        yield chunk


def _never() -> bool:
    return False


def _unheard(_: float) -> None:
    """Nobody wants to know what is left."""


def open_providers(settings: Settings, *, max_connections: int, for_tenants: bool = False) -> dict[str, Provider]:
    """A provider for each profile that the settings configure, by name; `for_tenants`, those too that take their keys.

    The latter have no key of the operator's: whoever calls them brings one.
    """
    return {
        profile.name: Provider(profile.located(settings), profile.api_key(settings), max_connections=max_connections)
        for profile in PROFILES
        if profile.configured(settings) or (for_tenants and profile.takes_keys(settings))
    }
