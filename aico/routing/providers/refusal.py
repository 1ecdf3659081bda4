"""Reads an answer whose HTTP status says that the call failed."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import httpx2
from pydantic import SecretStr

from aico.core.redact import redact
from aico.routing.providers.failures import ProviderError, failure_kind, retry_after_seconds
from aico.routing.providers.wire import WireError

_READ_BYTES = 64 * 1024


def refusal(
    response: httpx2.Response,
    chunks: Iterable[bytes],
    parse_error: Callable[[int, bytes], WireError],
    secrets: Sequence[str],
) -> ProviderError:
    """The failure as we tell it, without the `secrets`; at most the beginning of the body is read."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) >= _READ_BYTES:
            break  # enough to explain, and the status alone decides what follows
    error = parse_error(response.status_code, bytes(body))
    return ProviderError(
        failure_kind(response.status_code, error.code),
        redact(error.message, *secrets),
        http_status=response.status_code,
        retry_after=retry_after_seconds(response.headers, datetime.now(UTC)),
        code=error.code,
    )


def secrets_of(api_key: SecretStr | None) -> tuple[str, ...]:
    """What must not be told, although the provider may: some repeat the key that they refuse."""
    return () if api_key is None else (api_key.get_secret_value(),)
