"""Where a browser may be sent back to: pages of origins that the operator has named, and no others."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from aico.core.errors import InvalidInput

MAX_URL = 2000  # characters
_PORTS = {"https": 443, "http": 80}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_CHARACTERS = re.compile(r"[!-\[\]-~]+")  # printable ASCII without a backslash: browsers read that as a slash
Origin = tuple[str, str, int]


def check_return_url(text: str, allowed: Iterable[str]) -> None:
    """Raises InvalidInput unless it is https, or http on the loopback, at one of the allowed origins."""
    if len(text) > MAX_URL:
        raise InvalidInput(f"a return URL has at most {MAX_URL} characters")
    origin = _origin(text)
    if origin is None:
        raise InvalidInput("a return URL is https://host/path, or http:// on the loopback, without a user name")
    if origin not in {_origin(one) for one in allowed}:
        raise InvalidInput("a return URL is at one of the origins in BILLING_RETURN_ORIGINS or CORS_ORIGINS")


def _origin(text: str) -> Origin | None:
    if not _CHARACTERS.fullmatch(text):
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    if not host or "@" in parts.netloc or parts.scheme not in _PORTS:
        return None
    if parts.scheme == "http" and host not in _LOOPBACK:
        return None
    return parts.scheme, host, port or _PORTS[parts.scheme]
