"""Rate limits that all workers share, kept in Redis; while it is away each process keeps to them by itself."""

import threading
import time
from collections.abc import Callable, Sequence

import redis
import structlog

from aico.routing.models import RateLimit
from aico.routing.pacing import Admission, Budget, BudgetPacer, Charge, admit
from aico.workers.gcra import SCRIPT, Taking, Verdict, keys_and_arguments
from aico.workers.sharing import Sharing

log = structlog.get_logger()

_KEY_PREFIX = "aico:pace"
_KEPT = 10_000  # budgets; beyond that those that are full again are forgotten: they are as if they were never used


class LocalPacer(BudgetPacer):
    """Budgets of this process alone. `clock` gives seconds since some moment in the past."""

    def __init__(self, limits: Sequence[RateLimit], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(limits)
        self._clock = clock
        self._lock = threading.RLock()
        self._arrivals: dict[Budget, float] = {}

    def take(self, charges: Sequence[Charge], patience: float) -> Admission:
        with self._lock:
            admission = admit(charges, self.known(charges), self._clock(), patience)
            self.keep(charges, admission)
        return admission

    def known(self, charges: Sequence[Charge]) -> list[float]:
        """The budgets' arrival times as far as this process has seen them; 0 for one never used."""
        with self._lock:
            return [self._arrivals.get(charge.budget, 0.0) for charge in charges]

    def keep(self, charges: Sequence[Charge], admission: Admission) -> None:
        if admission.arrivals is not None:
            with self._lock:
                if len(self._arrivals) >= _KEPT:  # tenants with keys of their own have budgets of their own
                    now = self._clock()
                    self._arrivals = {budget: arrival for budget, arrival in self._arrivals.items() if arrival > now}
                self._arrivals.update(zip((charge.budget for charge in charges), admission.arrivals, strict=True))


class RedisPacer(BudgetPacer, Sharing):
    """Budgets of all who share the Redis, in one trip a question. What it last said is kept for when it is gone."""

    def __init__(self, client: redis.Redis, limits: Sequence[RateLimit], *, heeds_all: bool = False) -> None:
        BudgetPacer.__init__(self, limits, heeds_all=heeds_all)
        Sharing.__init__(self, _lost, _found)
        self._admit = client.register_script(SCRIPT)
        self._offset = time.time() - time.monotonic()  # from this process's clock to the server's, in seconds
        self._local = LocalPacer(limits, lambda: time.monotonic() + self._offset)

    def take(self, charges: Sequence[Charge], patience: float) -> Admission:
        return self.either(lambda: self._ask(charges, patience), lambda: self._local.take(charges, patience))

    def _ask(self, charges: Sequence[Charge], patience: float) -> Admission:
        takings = [
            Taking(_key(charge.budget), charge.cost, charge.budget.burst, charge.horizon, known)
            for charge, known in zip(charges, self._local.known(charges), strict=True)
        ]
        verdict = Verdict.read(self._admit(*keys_and_arguments(takings, patience)))
        self._offset = verdict.now - time.monotonic()
        admission = Admission(verdict.wait, verdict.arrivals if verdict.taken else None)
        self._local.keep(charges, admission)
        return admission


def _lost(error: redis.RedisError) -> None:
    log.warning("pacing_not_shared", error=type(error).__name__)


def _found() -> None:
    log.info("pacing_shared_again")


def _key(budget: Budget) -> str:
    # The braces keep a call's budgets together on a Redis that is spread over servers.
    whose = "" if budget.account is None else f"{budget.account}:"
    return f"{_KEY_PREFIX}:{{{budget.provider}}}:{whose}{budget.model or '*'}:{budget.unit.value}"
