"""Tells who looks at a tenant's figures that they have changed: ticks of Realtime, from a thread beside the work."""

import threading
import time
from collections import deque
from math import inf

import structlog

from aico.core.errors import Unavailable
from aico.store import metrics
from aico.store.blocking import Database
from aico.store.scope import Scope

log = structlog.get_logger()

TENANTS = 200  # told in one transaction
LEAST_PAUSE_SECONDS = 0.05
RETRY_SECONDS = 1.0
RAPID_SECONDS = 0.4  # batches that come faster than this are waited for
LATE_SECONDS = 0.1  # which one of them may be


def wait_for_next(now: float, before: float, last: float) -> float:
    """How many seconds to wait, once a tick is due, so that it tells the next batch too; 0: it goes at once.

    It is expected as long after the `last` one as that came after the one `before`; all are seconds of one clock.
    Otherwise, as ticks and batches have much the same pace, each could go just before what it should have told.
    """
    gap, age = last - before, now - last
    is_fresh = age < gap / 3
    return 0.0 if gap > RAPID_SECONDS or is_fresh else max(gap + LATE_SECONDS - age, 0.0)


class Ticker:
    """Sends what is due once it is nudged, and goes on until nothing is left to be told; else it sleeps.

    What a process that dies leaves untold is told by another's, or by the sweeper within a second.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._nudged = threading.Event()
        self._booked = deque((-inf, 0.0), maxlen=2)  # when it was nudged last, and before that

    def start(self) -> None:
        threading.Thread(target=self._run, name="ticker", daemon=True).start()

    def nudge(self) -> None:
        """Something was booked. Returns at once."""
        self._booked.append(time.monotonic())
        self._nudged.set()

    def _run(self) -> None:
        while True:
            self._nudged.wait()
            self._nudged.clear()
            pause = self.tell()
            while pause is not None:
                time.sleep(max(pause, LEAST_PAUSE_SECONDS))
                self._nudged.clear()
                self._nudged.wait(wait_for_next(time.monotonic(), *self._booked))
                pause = self.tell()

    def tell(self) -> float | None:
        """Send what is due now. In how many seconds to come again; None: nothing is left."""
        try:
            # Durable: Realtime reads the log as far as it is on the disk, and would find nothing for up to 0.2 seconds.
            (told,) = self._database.run(Scope.system(), metrics.tell(limit=TENANTS))
        except Unavailable as error:
            log.warning("ticks_postponed", error=type(error).__name__)
            return RETRY_SECONDS
        except Exception:
            # The thread outlives it, as nobody would begin another.
            log.exception("ticks_failed")
            return RETRY_SECONDS
        return told.next_in
