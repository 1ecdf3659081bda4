"""Whether a part of the product is well; what compose and orchestrators call every few seconds."""

from typing import Annotated

import redis
import typer

from aico.cli.client import Client
from aico.core.errors import InvalidInput
from aico.core.settings import get_settings
from aico.workers.app import WORKERS
from aico.workers.health import alive

EXIT_UNHEALTHY = 1


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
