"""Rate limits as answers tell them: in the fields that OpenAI's clients read, and in those of the IETF's draft.

draft-ietf-httpapi-ratelimit-headers. A budget refills evenly, so there is no moment at which a window begins anew. The
former name the time until it is full again; the latter, whose time may not be later than Retry-After, until there is
more.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

WINDOW_SECONDS = 60
_MILLISECONDS = 1000
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands. `unit` is `requests` or `tokens`."""

    unit: str
    limit: int  # a minute, and at once after a rest
    remaining: int
    reset: float  # seconds until it is full again
    more: float  # seconds until there is more


UNITS = ("requests", "tokens")
FIELDS = (
    *(f"x-ratelimit-{what}-{unit}" for unit in UNITS for what in ("limit", "remaining", "reset")),
    "RateLimit-Policy",
    "RateLimit",
)


def fields(standings: Iterable[Standing]) -> dict[str, str]:
    """No budgets, no fields."""
    known = list(standings)
    if not known:
        return {}
    return {
        **{name: value for one in known for name, value in _openai(one)},
        "RateLimit-Policy": ", ".join(_policy(one) for one in known),
        "RateLimit": ", ".join(f'"{one.unit}";r={one.remaining};t={math.ceil(one.more)}' for one in known),
    }


def _openai(one: Standing) -> Iterator[tuple[str, str]]:
    yield f"x-ratelimit-limit-{one.unit}", str(one.limit)
    yield f"x-ratelimit-remaining-{one.unit}", str(one.remaining)
    yield f"x-ratelimit-reset-{one.unit}", duration(one.reset)


def _policy(one: Standing) -> str:
    unit = "" if one.unit == "requests" else f';qu="{one.unit}"'
    return f'"{one.unit}";q={one.limit};w={WINDOW_SECONDS}{unit}'


def duration(seconds: float) -> str:
    """As Go writes durations, to the millisecond: `120ms`, `1.5s`, `6m0s`."""
    thousandths = math.ceil(seconds * _MILLISECONDS - 1e-6)
    if thousandths < _MILLISECONDS:
        return f"{thousandths}ms"
    hours, rest = divmod(thousandths, _HOUR * _MILLISECONDS)
    minutes, rest = divmod(rest, _MINUTE * _MILLISECONDS)
    shown = f"{rest / _MILLISECONDS:g}s"
    if hours:
        return f"{hours}h{minutes}m{shown}"
    return f"{minutes}m{shown}" if minutes else shown
