"""Which days' use may be reported, when it was, and when a report is in doubt."""

from datetime import UTC, date, datetime, time, timedelta

LATE = timedelta(hours=1)  # a day is closed this long after its end: what is booked later becomes a report of its own
REPORTABLE_DAYS = 34  # Stripe takes use of the past 35 days
# Stripe counts an identifier once within "at least 24 hours". After that, nobody here knows whether a report arrived.
REMEMBERED = timedelta(hours=23)


def closed_before(now: datetime) -> date:
    """The first day, UTC, that is not closed."""
    return (now.astimezone(UTC) - LATE).date()


def oldest(now: datetime) -> date:
    """The earliest day, UTC, whose use is still taken."""
    return now.astimezone(UTC).date() - timedelta(days=REPORTABLE_DAYS)


def moment_of(day: date) -> int:
    """Unix seconds of a day's last second, UTC: its use belongs to the period that was running then."""
    return int(datetime.combine(day, time(23, 59, 59), UTC).timestamp())


def in_doubt(tried_at: datetime | None, now: datetime) -> bool:
    """Whether sending again might count twice."""
    return tried_at is not None and now - tried_at > REMEMBERED
