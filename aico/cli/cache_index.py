"""Indexes of the cache's large namespaces, straight in the database and as its owner."""

import signal
import threading
from typing import Annotated

import typer
from rich.table import Table

from aico.cli.show import err, out
from aico.core.errors import InvalidInput
from aico.core.logs import configure_logging
from aico.core.settings import get_settings
from aico.store.cache_indexes import Kept
from aico.workers.index_keeper import IndexKeeper


def index(
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and look every five minutes.")] = False,
) -> None:
    """Build, check and drop indexes of large namespaces now. DATABASE_ADMIN_URL is the database's owner."""
    settings = get_settings()
    if settings.database_admin_url is None:
        raise InvalidInput("set DATABASE_ADMIN_URL to the database's owner")
    configure_logging(settings.log_level)
    keeper = IndexKeeper(settings.database_admin_url.get_secret_value(), least_rows=settings.cache_index_rows)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if watch:
        keeper.run(stop)
        return
    kept = keeper.step(stop)
    if kept is None:
        err.print("Another process is at it.")
        return
    out.print(_table(kept))


def _table(kept: list[Kept]) -> Table:
    headings = ("tenant", "namespace", "rows", "state", "recall", "of eight", "MB", "built")
    table = Table(*headings, box=None)
    for one in kept:
        standing = one.standing
        table.add_row(
            str(standing.scope.tenant),
            standing.scope.namespace.hex()[:12],
            f"{standing.rows:,}",
            "exact" if standing.state is None else standing.state.value,
            _share(one.recall),
            _share(one.recall_8),
            "-" if one.bytes is None else f"{one.bytes / 1e6:.0f}",
            "-" if one.built_at is None else f"{one.built_at:%Y-%m-%d %H:%M}",
        )
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
