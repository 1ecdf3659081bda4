"""How the sums that a dashboard shows are cut: into seconds, minutes or days, along one dimension or none."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Grain(StrEnum):
    SECOND = "second"
    MINUTE = "minute"
    DAY = "day"


class Dimension(StrEnum):
    LEVER = "lever"  # what a saving is owed to
    PROVIDER = "provider"
    MODEL = "model"
    ROUTE = "route"  # the strategy that chose the model
    TAG = "tag"


LENGTHS = {Grain.SECOND: timedelta(seconds=1), Grain.MINUTE: timedelta(minutes=1), Grain.DAY: timedelta(days=1)}
USUAL = {Grain.SECOND: timedelta(minutes=5), Grain.MINUTE: timedelta(hours=24), Grain.DAY: timedelta(days=30)}
SECONDS_KEPT = timedelta(hours=1)
MINUTES_KEPT = timedelta(days=35)
MOST_BUCKETS = 1500  # a day of minutes, begun within one of them and asked for by a clock of its own
MOST_DAYS = 366
MOST_SPLIT_BUCKETS = 400  # of a series that is split by a dimension
_YEARS = range(2000, 2101)


class BadPeriod(ValueError):
    """No period that could be asked for. `param` is the parameter at fault."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param
        self.message = message


@dataclass(frozen=True, slots=True)
class Period:
    """Whole buckets, UTC: from `since` on and before `until`."""

    grain: Grain
    since: datetime
    until: datetime


def period(
    grain: Grain, since: datetime | None, until: datetime | None, now: datetime, *, most: int = MOST_BUCKETS
) -> Period:
    """The buckets that the time between these touches; without them the latest ones. Raises BadPeriod."""
    limit = min(most, MOST_DAYS) if grain is Grain.DAY else most
    longest = limit * LENGTHS[grain]
    end = now if until is None else _sane("until", until)
    begin = None if since is None else _sane("since", since)
    if begin is not None and end - begin >= longest + LENGTHS[grain]:  # who counts back from now is a moment late
        raise BadPeriod("since", f"is too long before `until`: at most {limit} buckets of a {grain} are given at once")
    last = _ceiling(grain, end)
    first = last - min(USUAL[grain], longest) if begin is None else _floor(grain, begin)
    if first >= last:
        raise BadPeriod("since", "must be before `until`")
    return Period(grain, first, last)


def _sane(param: str, moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise BadPeriod(param, f"must be in one of the years {_YEARS[0]} to {_YEARS[-1]}")
    return moment.astimezone(UTC)


def _floor(grain: Grain, moment: datetime) -> datetime:
    if grain is Grain.DAY:
        return moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return moment.replace(second=moment.second if grain is Grain.SECOND else 0, microsecond=0)


def _ceiling(grain: Grain, moment: datetime) -> datetime:
    floor = _floor(grain, moment)
    return floor if floor == moment else floor + LENGTHS[grain]
