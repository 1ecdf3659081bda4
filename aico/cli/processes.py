"""Commands that run one process of the product, or look after it; what compose, systemd and `aico up` call."""

import json
import os
import signal
import sys
import threading
from typing import Annotated

import redis
import typer
import uvicorn

from aico.api.app import create_app
from aico.cli.client import Client
from aico.cli.show import err
from aico.core.errors import InvalidInput
from aico.core.logs import configure_logging
from aico.core.settings import get_settings
from aico.store.migrate import migrate as run_migrations
from aico.tracing.switch import tracing
from aico.workers import sweep as sweeper
from aico.workers.app import WORKERS
from aico.workers.health import alive
from aico.workers.process import run_worker

EXIT_UNHEALTHY = 1


def serve() -> None:
    """Run the API, with the MCP server at `/mcp`."""
    settings = get_settings()
    configure_logging(settings.log_level)
    with tracing(settings, "api"):
        uvicorn.run(
            "aico.cli.serving:application",
            factory=True,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=10,
        )


def worker(name: Annotated[str, typer.Argument(help=f"One of {', '.join(WORKERS)}.")]) -> None:
    """Run a worker."""
    if name not in WORKERS:
        raise InvalidInput(f"there is no worker {name!r}; there are {', '.join(WORKERS)}")
    run_worker(name)


def sweep() -> None:
    """Run the sweeper, which puts right what crashes left."""
    settings = get_settings()
    configure_logging(settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tracing(settings, "sweep"):
        sweeper.main(stop)


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


def health(name: Annotated[str, typer.Argument(help="api, sweep, admit or a worker's name.")] = "api") -> None:
    """Exit with 0 if this part of the product is well."""
    settings = get_settings()
    if name == "api":
        with Client(settings.cost_optimizer_api_url) as client:
            state = client.health()
        typer.echo(state["status"])
        well = state["status"] != "down"
    elif name in {*WORKERS, "sweep", "admit"}:
        well = alive(redis.Redis.from_url(settings.redis_url.get_secret_value(), socket_timeout=3), name)
        typer.echo("ok" if well else "no sign of life")
    else:
        raise InvalidInput(f"there is no part {name!r}; there are api, sweep, admit, {', '.join(WORKERS)}")
    if not well:
        raise typer.Exit(EXIT_UNHEALTHY)


def openapi() -> None:
    """Print the API's description, an OpenAPI document."""
    sys.stdout.write(json.dumps(create_app(get_settings()).openapi(), indent=1) + "\n")
