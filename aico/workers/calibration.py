"""How models count tokens, as this process knows it: read once a minute, and learned by whoever books."""

import threading
import time
from collections.abc import Sequence

import structlog

from aico.core.errors import Unavailable
from aico.core.tokens import Pair
from aico.routing.calibration import HALF_LIFE, NO_LINES, Lines, fit, learn
from aico.store import token_sums
from aico.store.blocking import Database
from aico.store.scope import Scope

log = structlog.get_logger()

FRESH_SECONDS = 60.0


class Calibration:
    """Thread-safe. An outage is passed over: the lines that were known last still hold."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lines = NO_LINES
        self._stale_at = 0.0  # of the monotonic clock
        self._reading = threading.Lock()

    def lines(self) -> Lines:
        """One caller a minute reads them anew; the others go on with those that are there."""
        if time.monotonic() >= self._stale_at and self._reading.acquire(blocking=False):
            try:
                self._read()
            finally:
                self._reading.release()
        return self._lines

    def learn(self, pairs: Sequence[Pair]) -> None:
        """Add what was booked: one statement, or none where nothing tells anything."""
        learned = learn(pairs, self.lines())
        if not learned:
            return
        try:
            self._database.run(Scope.system(durable=False), token_sums.learn(learned, half_life=HALF_LIFE))
        except Unavailable:
            log.warning("token_counts_not_learned", calls=len(pairs))

    def _read(self) -> None:
        try:
            found = self._database.run(Scope.system(), token_sums.everything())
            self._lines = {key: fit(sums) for key, sums in found}
        except Unavailable:
            log.warning("token_lines_not_read")
        self._stale_at = time.monotonic() + FRESH_SECONDS
