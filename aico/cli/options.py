"""Options that several commands share, and the times that they take."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from aico.core.errors import InvalidInput

_SPAN = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def zoned(text: str) -> datetime:
    """An ISO 8601 date and time with a zone. Raises typer.BadParameter for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is no date and time with a time zone, such as 2026-11-01T09:00:00Z")
    return moment


def past(text: str) -> datetime:
    """A moment, or how long ago it was: `2h`, `1d`. Raises typer.BadParameter for anything else."""
    found = _SPAN.fullmatch(text)
    if found is None:
        return zoned(text)
    try:
        return datetime.now(UTC) - timedelta(seconds=int(found[1]) * SECONDS[found[2]])
    except OverflowError as error:
        raise typer.BadParameter(f"{text} ago is before the calendar begins") from error


def ahead(text: str) -> datetime:
    """A moment in the future, or how far ahead it is: `90d`. Raises typer.BadParameter for anything else."""
    found = _SPAN.fullmatch(text)
    try:
        moment = datetime.now(UTC) + timedelta(seconds=int(found[1]) * SECONDS[found[2]]) if found else zoned(text)
    except OverflowError as error:
        raise typer.BadParameter(f"{text} ahead is after the calendar ends") from error
    if moment <= datetime.now(UTC):
        raise typer.BadParameter(f"{text} is not in the future")
    return moment


def window(text: str) -> str:
    """A span of time as the API takes it. Raises typer.BadParameter for anything else."""
    if not _SPAN.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no span of time such as 90s, 30m, 24h or 7d")
    return text


Deadline = Annotated[
    datetime | None,
    typer.Option(parser=zoned, metavar="TIME", help="When the answer is of no more use: 2026-11-01T09:00:00Z."),
]
Window = Annotated[
    str | None,
    typer.Option(parser=window, metavar="SPAN", help="The deadline as a time from now: 90s, 30m, 24h, 7d."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the API says.")]


def due(deadline: datetime | None, completion_window: str | None) -> dict[str, str]:
    """The fields of a request that say when it is due. Raises InvalidInput where both are given."""
    if deadline is not None and completion_window is not None:
        raise InvalidInput("give either --deadline or --completion-window")
    if deadline is not None:
        return {"deadline": deadline.isoformat()}
    return {} if completion_window is None else {"completion_window": completion_window}
