"""Commands that run a worker, Flower or the migrations; what compose, systemd and `aico up` call.

What the API needs is loaded by none of them: it would double a worker's memory and the time that it takes to start.
"""

import os
import sys
from typing import Annotated

import typer

from aico.cli.show import err
from aico.core.errors import InvalidInput
from aico.core.settings import get_settings
from aico.store.migrate import migrate as run_migrations
from aico.workers.app import WORKERS
from aico.workers.process import run_worker


def worker(name: Annotated[str, typer.Argument(help=f"One of {', '.join(WORKERS)}.")]) -> None:
    """Run a worker."""
    if name not in WORKERS:
        raise InvalidInput(f"there is no worker {name!r}; there are {', '.join(WORKERS)}")
    run_worker(name)


def flower() -> None:
    """Run Flower, the workers' console; its own settings come from FLOWER_CONF or FLOWER_* variables."""
    conf = get_settings().flower_conf
    options = [f"--conf={conf}"] if conf else []
    argv = [sys.executable, "-m", "celery", "--app", "aico.workers.app:app", "flower", *options]
    os.execv(sys.executable, argv)  # noqa: S606 - becomes that process; no shell


def migrate() -> None:
    """Bring the database up to date. DATABASE_ADMIN_URL is its owner; AICO_APP_PASSWORD lets the service log in."""
    url, password = get_settings().database_admin_url, get_settings().aico_app_password
    if url is None:
        raise InvalidInput("set DATABASE_ADMIN_URL to the database's owner")
    applied = run_migrations(url.get_secret_value(), password.get_secret_value() if password else None)
    for name in applied:
        typer.echo(name)
    err.print(f"{len(applied)} migrations applied." if applied else "The database is up to date.")
