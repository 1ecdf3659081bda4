"""What a tenant may ask for in a minute, kept in Redis by all API processes together. Without limits nobody is asked.

It keeps tenants out of each other's way and is no accounting: while Redis is away everything passes.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

import redis.asyncio
from pydantic import BaseModel

from aico.api.auth import Principal
from aico.core.errors import RateLimited
from aico.core.settings import Settings
from aico.routing.tokens import rough_count
from aico.wire.rate_limits import WINDOW_SECONDS, Standing, fields
from aico.workers.budgets import Budgets
from aico.workers.gcra import Taking

_LONGEST_ANSWER = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_ROUNDING = 1e-3  # of a unit: arrival times are kept to the microsecond


@dataclass(frozen=True, slots=True)
class Grant:
    """What each tenant is granted of a unit in a minute. A rested tenant may take all of it at once."""

    unit: str
    per_minute: int

    @property
    def interval(self) -> float:
        """Seconds in which one unit is granted."""
        return WINDOW_SECONDS / self.per_minute

    def taking(self, tenant: UUID, count: int) -> Taking:
        # The braces keep a tenant's budgets together on a Redis that is spread over servers.
        return Taking(f"aico:limit:{{{tenant}}}:{self.unit}", count * self.interval, WINDOW_SECONDS)

    def standing(self, arrival: float, now: float) -> Standing:
        spent = max(arrival - now, 0.0)
        left = max((WINDOW_SECONDS - spent) / self.interval, 0.0)
        whole = math.floor(left + _ROUNDING)
        more = 0.0 if whole >= self.per_minute else max(whole + 1 - left, 0.0) * self.interval
        return Standing(self.unit, self.per_minute, whole, reset=spent, more=more)


class RateLimiter:
    """One question to Redis for a request, and none where nothing is limited."""

    def __init__(self, broker: redis.asyncio.Redis, settings: Settings) -> None:
        granted = {"requests": settings.tenant_requests_per_minute, "tokens": settings.tenant_tokens_per_minute}
        self._grants = [Grant(unit, count) for unit, count in granted.items() if count]
        self._budgets = Budgets(broker)

    @property
    def counts_tokens(self) -> bool:
        """Whether it matters to `take` how many they are."""
        return any(grant.unit == "tokens" for grant in self._grants)

    async def take(self, principal: Principal, tokens: int) -> dict[str, str]:
        """Counts one request of so many tokens. The header fields that the answer is to carry; none without limits.

        Raises RateLimited, with these fields, and then nothing is counted.
        """
        if not self._grants:
            return {}
        counts = {"requests": 1, "tokens": tokens}
        takings = [grant.taking(principal.tenant, counts[grant.unit]) for grant in self._grants]
        verdict = await self._budgets.take(takings)
        if verdict is None:
            return {}
        standings = [
            grant.standing(arrival, verdict.now) for grant, arrival in zip(self._grants, verdict.arrivals, strict=True)
        ]
        if not verdict.taken:
            raise _refusal(standings, verdict.wait)
        return fields(standings)


def estimated_tokens(texts: Iterable[str]) -> int:
    """What is counted before anybody knows better: a quarter of the characters."""
    return sum(map(rough_count, texts))


def expected_tokens(body: BaseModel) -> int:
    """Of a request: all text in its body, less pictures, and the longest answer that it allows, where it says so."""
    sent = body.model_dump(mode="json", exclude_unset=True)
    longest = max((sent.get(name) or 0 for name in _LONGEST_ANSWER), default=0)
    return estimated_tokens(_texts(sent)) + longest * (sent.get("n") or 1)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if not value.startswith("data:"):
            yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _refusal(standings: Iterable[Standing], wait: float) -> RateLimited:
    known = list(standings)
    granted = " and ".join(f"{one.limit} {one.unit}" for one in known)
    seconds = max(1, math.ceil(wait))
    return RateLimited(
        f"this tenant may send {granted} a minute; try again in {seconds} s",
        retry_after=seconds,
        headers={**fields(known), "x-should-retry": "true"},
    )
