"""How the queues and the workers are doing."""

import json
import time
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from aico.cli.client import Client
from aico.cli.show import out
from aico.core.errors import InvalidInput, Unavailable
from aico.core.settings import get_settings

EXIT_UNHEALTHY = 1
REFRESH_SECONDS = 2.0
_COUNTS = {"waiting": "waiting", "admitted": "admitted", "running": "running", "held": "held", "lane": "in batches"}
_COUNTED_TO = 10_000
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def queues(
    as_json: Annotated[bool, typer.Option("--json", help="Print what the API says.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
) -> None:
    """Show the queues and the workers. Exit with 0 if all is well."""
    if as_json and watch:
        raise InvalidInput("--json prints once; leave out --watch")
    with Client(get_settings().cost_optimizer_api_url) as client:
        if watch:
            _watch(client)
            return
        state = client.health()
    if as_json:
        typer.echo(json.dumps(state))
    else:
        out.print(render(state))
    if state["status"] != "ok":
        raise typer.Exit(EXIT_UNHEALTHY)


def _watch(client: Client) -> None:
    with Live(console=out, auto_refresh=False) as live:
        try:
            while True:
                live.update(_look(client), refresh=True)
                time.sleep(REFRESH_SECONDS)
        except KeyboardInterrupt:  # how watching ends
            return


def _look(client: Client) -> RenderableType:
    try:
        return render(client.health())
    except Unavailable as error:
        return Text(error.detail, style="red")


def render(state: dict[str, Any]) -> RenderableType:
    """A verdict, the classes and the workers, from what `GET /health` says."""
    return Group(_verdict(state), _classes(state.get("queues", [])), _workers(state.get("workers", [])))


def _verdict(state: dict[str, Any]) -> Text:
    faults = [f"{name} {found}" for name, found in state.get("checks", {}).items() if found != "ok"]
    style = {"ok": "green", "degraded": "yellow"}.get(state["status"], "red")
    return Text(": ".join([state["status"], *([", ".join(faults)] if faults else [])]), style=style)


def _classes(found: list[dict[str, Any]]) -> Table:
    table = Table("class", *_COUNTS.values(), "oldest")
    for row in found:
        table.add_row(row["class"], *(count(row[name]) for name in _COUNTS), age(row["oldest_seconds"]))
    return table


def _workers(found: list[dict[str, Any]]) -> Table:
    table = Table("worker", "processes", "slots", "busy", "last progress")
    for row in found:
        busy = (str(row["slots"]), str(row["busy"])) if row["slots"] else ("-", "-")  # loops have none
        table.add_row(row["name"], str(row["processes"]), *busy, f"{age(row['seconds_since_progress'])} ago")
    return table


def count(jobs: int) -> str:
    return f"{_COUNTED_TO:,}+" if jobs >= _COUNTED_TO else str(jobs)


def age(seconds: float) -> str:
    """In the largest unit of which there are at least two; below two minutes in seconds."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
