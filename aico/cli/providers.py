"""How the providers are."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from aico.cli.client import Client
from aico.cli.queues import age
from aico.cli.show import out
from aico.core.settings import get_settings

_COLOURS = {"healthy": "green", "untried": "green", "degraded": "yellow", "unknown": "yellow", "open": "red"}


def providers(as_json: Annotated[bool, typer.Option("--json", help="Print what the API says.")] = False) -> None:
    """Show how each provider is, its keys and the models that fail. Exit code 0 whatever it shows."""
    with Client.from_settings(get_settings()) as client:
        found = client.request("GET", "/providers")
    if as_json:
        typer.echo(json.dumps(found))
        return
    out.print(render(found["providers"], datetime.now(UTC)))
    if not found["health_known"]:
        out.print("Redis does not answer: how they are is not known.", style="yellow")


def render(found: list[dict[str, Any]], now: datetime) -> Table:
    """From what `GET /providers` says."""
    table = Table("provider", "health", "keys", "models", "batches", "last success", "last error")
    for one in found:
        table.add_row(
            one["name"],
            Text(_health(one, now), style=_COLOURS.get(one["health"], "dim")),
            _counted(one["keys"], len(one["keys"]), "number"),
            _counted(one["unwell_models"], len(one["models"]), "model"),
            "yes" if one["batch_lane"] else "-",
            _ago(one["last_success_at"], now),
            f"{one['last_error']}, {_ago(one['last_error_at'], now)}" if one["last_error"] else "-",
        )
    return table


def _health(one: dict[str, Any], now: datetime) -> str:
    if one["health"] != "open":
        return str(one["health"])
    left = (datetime.fromisoformat(one["retry_at"]) - now).total_seconds()
    return f"open, {age(max(left, 0.0))} left"


def _counted(parts: list[dict[str, Any]], count: int, name: str) -> str:
    unwell = [f"{part[name]} {part['health']}" for part in parts if part["health"] in {"open", "degraded"}]
    return f"{count}: {', '.join(unwell)}" if unwell else str(count)


def _ago(text: str | None, now: datetime) -> str:
    return "-" if text is None else f"{age((now - datetime.fromisoformat(text)).total_seconds())} ago"
