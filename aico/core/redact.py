"""Takes credentials out of text that is logged, stored or shown: those that are known, and whatever looks like one."""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

REDACTED = "[redacted]"

_SHAPES = re.compile(
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*"  # JSON web tokens
    r"|\b(?:aico_live_|sb_secret_|whsec_)[A-Za-z0-9+/=_*.-]+"
    r"|\b(?:(?:sk|pk|rk|csk|gsk|xai)[-_]|AIza|AQ\.)[A-Za-z0-9*._-]{6,}"  # as providers make theirs
    r"|\bkey[-_](?=[A-Za-z*._-]*[0-9])[A-Za-z0-9*._-]{6,}"  # a digit tells it from a word such as key-value
    r"|\b(?P<scheme>[Bb]earer) +[A-Za-z0-9._~+/*=-]{6,}"
)
_LEAST_REST = 4  # characters of a known secret at the end of a text that was cut off


def redact(text: str, *secrets: str) -> str:
    """`secrets` are taken out wherever they are, and also where the text was cut off within one."""
    for secret in secrets:
        text = _without(text, secret)
    return _SHAPES.sub(_replacement, text)


def redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: every text of the event, however deep, its traceback included."""
    return {name: _clean(value) for name, value in event.items()}


def _replacement(found: re.Match[str]) -> str:
    return f"{found['scheme']} {REDACTED}" if found["scheme"] else REDACTED


def _without(text: str, secret: str) -> str:
    text = text.replace(secret, REDACTED)
    for length in range(min(len(secret) - 1, len(text)), _LEAST_REST - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + REDACTED
    return text


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: _clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return redact(str(value)) if isinstance(value, BaseException) else value
