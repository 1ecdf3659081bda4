"""How often one address, and one account, may try. Kept in Redis; while that is away everything passes."""

import hashlib
import math
from dataclasses import dataclass
from http import HTTPStatus

from aico.embedded.auth.refusals import Refusal
from aico.workers.budgets import Budgets
from aico.workers.gcra import Taking

_WINDOW_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in five minutes. After a rest all of them may come at once."""

    sign_in_address: int = 30
    sign_in_account: int = 10
    sign_up_address: int = 30
    refresh_address: int = 150
    password_account: int = 10  # changes of a password, which cost as much as a sign-in


class Limiter:
    def __init__(self, budgets: Budgets, limits: Limits) -> None:
        self._budgets = budgets
        self._limits = limits

    async def sign_in(self, address: str, email: str) -> None:
        """Raises Refusal, as the others do, and then nothing is counted."""
        await self._take(
            _taking("sign-in:address", address, self._limits.sign_in_address),
            _taking("sign-in:account", email, self._limits.sign_in_account),
        )

    async def sign_up(self, address: str) -> None:
        await self._take(_taking("sign-up:address", address, self._limits.sign_up_address))

    async def refresh(self, address: str) -> None:
        await self._take(_taking("refresh:address", address, self._limits.refresh_address))

    async def password(self, account: str) -> None:
        await self._take(_taking("password:account", account, self._limits.password_account))

    async def _take(self, *takings: Taking) -> None:
        verdict = await self._budgets.take(takings)
        if verdict is not None and not verdict.taken:
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                "over_request_rate_limit",
                "Request rate limit reached",
                retry_after=max(1, math.ceil(verdict.wait)),
            )


def _taking(what: str, whose: str, limit: int) -> Taking:
    """The key does not give away whose it is."""
    digest = hashlib.sha256(whose.encode()).hexdigest()
    return Taking(f"aico:auth:{what}:{digest}", _WINDOW_SECONDS / limit, _WINDOW_SECONDS)
