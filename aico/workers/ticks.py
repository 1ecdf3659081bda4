"""Tells who looks at a tenant's figures that they have changed: ticks of Realtime, from a thread beside the work."""

import threading

import structlog

from aico.core.errors import Unavailable
from aico.store import metrics
from aico.store.blocking import Database
from aico.store.scope import Scope

log = structlog.get_logger()

TENANTS = 200  # told in one transaction
LEAST_PAUSE_SECONDS = 0.05
RETRY_SECONDS = 1.0


class Ticker:
    """Sends what is due once it is nudged, and goes on until nothing is left to be told; else it sleeps.

    What a process that dies leaves untold is told by another's, or by the sweeper within a second.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._nudged = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="ticker", daemon=True).start()

    def nudge(self) -> None:
        """Something was booked. Returns at once."""
        self._nudged.set()

    def _run(self) -> None:
        while True:
            self._nudged.wait()
            self._nudged.clear()
            pause = self.tell()
            while pause is not None:
                threading.Event().wait(max(pause, LEAST_PAUSE_SECONDS))
                pause = self.tell()

    def tell(self) -> float | None:
        """Send what is due now. In how many seconds to come again; None: nothing is left."""
        try:
            (told,) = self._database.run(Scope.system(durable=False), metrics.tell(limit=TENANTS))
        except Unavailable as error:
            log.warning("ticks_postponed", error=type(error).__name__)
            return RETRY_SECONDS
        except Exception:
            # The thread outlives it, as nobody would begin another.
            log.exception("ticks_failed")
            return RETRY_SECONDS
        return told.next_in
