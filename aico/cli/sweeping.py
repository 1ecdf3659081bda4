"""What `aico sweep` runs."""

import signal
import threading

from aico.core.logs import configure_logging
from aico.core.settings import get_settings
from aico.tracing.switch import tracing
from aico.workers import sweep as sweeper


def sweep() -> None:
    """Run the sweeper, which puts right what crashes left."""
    settings = get_settings()
    configure_logging(settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tracing(settings, "sweep"):
        sweeper.main(stop)
