"""How the providers are."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from aico.cli.client import Client
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
    out.print(render(found["providers"]))
    if not found["health_known"]:
        out.print("Redis does not answer: how they are is not known.", style="yellow")


def render(found: list[dict[str, Any]]) -> Table:
    """From what `GET /providers` says."""
    table = Table("provider", "health", "keys", "models", "batches", "last success", "last error")
    for one in found:
        table.add_row(
            one["name"],
            Text(_health(one), style=_COLOURS.get(one["health"], "dim")),
            _keys(one["keys"]),
            _models(one),
            "yes" if one["batch_lane"] else "-",
            _moment(one["last_success_at"]),
            " ".join(part for part in (one["last_error"] or "-", _moment(one["last_error_at"])) if part != "-") or "-",
        )
    return table


def _health(one: dict[str, Any]) -> str:
    if one["health"] == "off":
        return f"off; set {one['switched_on_by']}"
    return f"open until {_moment(one['retry_at'])}" if one["health"] == "open" else str(one["health"])


def _keys(keys: list[dict[str, Any]]) -> str:
    unwell = [f"{key['number']} {key['health']}" for key in keys if key["health"] in {"open", "degraded"}]
    return f"{len(keys)}: {', '.join(unwell)}" if unwell else str(len(keys))


def _models(one: dict[str, Any]) -> str:
    unwell = [f"{model['model']} {model['health']}" for model in one["unwell_models"]]
    return f"{len(one['models'])}: {', '.join(unwell)}" if unwell else str(len(one["models"]))


def _moment(text: str | None) -> str:
    """Date and time in UTC, to the second."""
    return "-" if text is None else text[:19].replace("T", " ")
