"""Values as logs write them. What cannot be meant raises NotReadable with the name of the field, never its words."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pydantic_core

from aico.audit.calls import NotReadable

Json = Mapping[str, Any]
_EARLIEST, _LATEST = 946_684_800.0, 4_102_444_800.0  # the years 2000 and 2100, in seconds since 1970
_MILLISECONDS = 1_000.0
_MOST_TOKENS = 10**9
_MOST_DOLLARS = Decimal(10) ** 6


def first(fields: Json, *names: str) -> Any:
    """The first of these fields that says something."""
    return next((fields[name] for name in names if fields.get(name) not in (None, "", {}, [])), None)


def parsed(value: Any) -> Any:
    """JSON that was written as a string, as columns of databases are exported; other strings are left."""
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return pydantic_core.from_json(value, allow_inf_nan=False)
        except ValueError:
            return value
    return value


def object_of(value: Any) -> Json:
    found = parsed(value)
    return found if isinstance(found, Mapping) else {}


def name_of(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and str(value) else None


def moment(value: Any, field: str) -> float | None:
    """Seconds since 1970 of an ISO date and time (UTC where it names no zone) or of a number in (milli)seconds."""
    if value is None or value == "":
        return None
    seconds = _written(value) if isinstance(value, str) else _counted(value)
    if seconds is None or not _EARLIEST <= seconds < _LATEST:
        raise NotReadable(f"{field} is no date and time")
    return seconds


def _written(value: str) -> float | None:
    try:
        read = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
    except ValueError:
        return None
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()


def _counted(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value >= _LATEST:
        value = value / _MILLISECONDS if value < _LATEST * _MILLISECONDS else _LATEST
    return float(value)


def tokens(value: Any, field: str) -> int:
    if value is None:
        return 0
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _MOST_TOKENS or value != int(value):
        raise NotReadable(f"{field} is no number of tokens")
    return int(value)


def dollars(value: Any, field: str) -> Decimal | None:
    if value is None or value == "":
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal(-1)
    if isinstance(value, bool) or not amount.is_finite() or not 0 <= amount <= _MOST_DOLLARS:
        raise NotReadable(f"{field} is no amount of US dollars")
    return amount
