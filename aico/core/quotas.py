"""How much a tenant, an API key or a tag may use in a calendar window, and what is said to whoever wants more."""

import math
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from aico.core.errors import AicoError, BudgetExceeded, RateLimited

TENANT_SCOPE = "tenant"
_KEY, _TAG = "key:", "tag:"


class Period(StrEnum):
    """Windows are those of the calendar, in UTC."""

    MINUTE = "minute"
    DAY = "day"
    MONTH = "month"


class Unit(StrEnum):
    REQUESTS = "requests"  # that a provider answered
    TOKENS = "tokens"  # of input and output
    CENTS = "cents"  # US


class Source(StrEnum):
    """Who set it. All that apply must have room, so that nobody loosens another's."""

    PLAN = "plan"
    OPERATOR = "operator"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a request may use, as far as that is known before it is asked. It is reserved until it has ended."""

    tokens: int = 0
    cents: Decimal = Decimal(0)  # of the dearest model that may answer; 0 where no price is known


NOTHING_EXPECTED = Expected()


@dataclass(frozen=True, slots=True)
class Quota:
    """`scope` is `tenant`, `key:` and an API key's id, or `tag:` and a tag."""

    scope: str
    period: Period
    unit: Unit

    @property
    def name(self) -> str:
        return f"{self.scope}/{self.period}/{self.unit}"

    @property
    def holder(self) -> str:
        """Whose it is, in words."""
        if self.scope.startswith(_KEY):
            return "this API key"
        return f"the tag {self.scope.removeprefix(_TAG)!r}" if self.scope.startswith(_TAG) else "this tenant"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not let in: the quota that stays exhausted for longest, as it stood then."""

    quota: Quota
    source: Source
    limit: Decimal
    used: Decimal
    reserved: Decimal  # by requests that have not ended
    asked: Decimal
    resets_at: datetime
    at: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> "Refusal":
        """Of what `private.reserve` says."""
        return cls(
            quota=Quota(row["scope"], Period(row["period"]), Unit(row["unit"])),
            source=Source(row["source"]),
            limit=Decimal(row["quota"]),
            used=Decimal(row["used"]),
            reserved=Decimal(row["reserved"]),
            asked=Decimal(row["asked"]),
            resets_at=datetime.fromisoformat(row["resets_at"]),
            at=datetime.fromisoformat(row["at"]),
        )

    @property
    def left(self) -> Decimal:
        return max(self.limit - self.used - self.reserved, Decimal(0))

    @property
    def hopeless(self) -> bool:
        """No window has room for it, not even an empty one."""
        return self.asked > self.limit

    def error(self) -> AicoError:
        """402, which nobody sends again by himself; 429 where it is only this minute that has no room."""
        unit, period = self.quota.unit, self.quota.period
        limit = f"{self.quota.holder} may use {plain(self.limit)} {unit} a {period} ({self.source}'s quota)"
        if self.hopeless:
            detail = f"{limit}, and this request alone may take {plain(self.asked)}"
            return BudgetExceeded(detail, headers={"x-should-retry": "false"}, violated=(self.quota.name,))
        detail = (
            f"{limit}: {plain(self.used)} are used, {plain(self.reserved)} reserved and {plain(self.left)} left, and "
            f"this request may take {plain(self.asked)}; the quota resets at {self.resets_at:%Y-%m-%dT%H:%M:%SZ}"
        )
        if period is not Period.MINUTE:
            return BudgetExceeded(detail, headers={"x-should-retry": "false"}, violated=(self.quota.name,))
        seconds = max(1, math.ceil((self.resets_at - self.at).total_seconds()))
        headers = {"x-should-retry": "true"}
        return RateLimited(detail, retry_after=seconds, headers=headers, violated=(self.quota.name,))


def plain(amount: Decimal) -> str:
    """Without zeros that say nothing, and without an exponent."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
