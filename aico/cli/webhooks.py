"""Webhook endpoints of the API key's tenant, and what was sent to them."""

import json
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Column, Table

from aico.cli.client import Client
from aico.cli.show import err, out
from aico.core.settings import get_settings
from aico.store.webhooks import EVENTS

app = typer.Typer(help="Endpoints that are told when jobs end. The API key says whose.", no_args_is_help=True)

PATH = "/v1/webhooks"

Endpoint = Annotated[UUID, typer.Argument(help="As `aico webhooks ls` shows it.")]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", help=f"One of {', '.join(EVENTS)}; may be repeated. All if none."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the API answers.")]


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Where to POST to.")],
    event: Events = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Add an endpoint and print its signing secret, which is shown this once."""
    added = _call("POST", "", json={"url": url, "events": event or [], "description": description})
    err.print(f"Endpoint {added['id']}; its signing secret cannot be shown again:")
    typer.echo(added["secret"])


@app.command()
def ls(as_json: AsJson = False) -> None:
    """List the endpoints."""
    found = _call("GET", "")
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = Table(Column("id", no_wrap=True), "URL", "events", "state", "description")
    for endpoint in found["data"]:
        events = ", ".join(endpoint["events"]) or "all"
        texts = (endpoint["url"], events, _state(endpoint), endpoint["description"])
        table.add_row(endpoint["id"], *map(escape, texts))
    out.print(table)


@app.command()
def show(
    endpoint: Endpoint,
    delivery: Annotated[UUID | None, typer.Argument(help="One of its deliveries.")] = None,
) -> None:
    """Print an endpoint; or a delivery, with what is sent and each attempt."""
    path = f"/{endpoint}" if delivery is None else f"/{endpoint}/deliveries/{delivery}"
    typer.echo(json.dumps(_call("GET", path), indent=2))


@app.command()
def rm(endpoint: Endpoint) -> None:
    """Remove an endpoint, with its log and with what was still to be delivered to it."""
    _call("DELETE", f"/{endpoint}")
    err.print(f"Removed {endpoint}.")


@app.command()
def rotate(
    endpoint: Endpoint,
    overlap_seconds: Annotated[
        int, typer.Option("--overlap", min=0, help="Seconds for which the old secret signs beside the new one.")
    ] = 24 * 3600,
) -> None:
    """Make a new signing secret and print it. It is shown this once."""
    rotated = _call("POST", f"/{endpoint}/rotate", json={"overlap_seconds": overlap_seconds})
    err.print(f"A new secret for {endpoint}; the old one signs beside it for {overlap_seconds} s:")
    typer.echo(rotated["secret"])


@app.command()
def test(endpoint: Endpoint) -> None:
    """Send a test event, and print the id of its delivery."""
    typer.echo(_call("POST", f"/{endpoint}/test")["id"])
    err.print("`aico webhooks show` with both ids tells how it went.")


@app.command()
def deliveries(
    endpoint: Endpoint,
    status: Annotated[str | None, typer.Option(help="pending, delivered or failed.")] = None,
    after: Annotated[UUID | None, typer.Option(help="Those before this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what was sent to an endpoint, or is about to be, newest first."""
    params = {"status": status, "after": None if after is None else str(after), "limit": limit}
    given = {name: value for name, value in params.items() if value is not None}
    page = _call("GET", f"/{endpoint}/deliveries", params=given)
    if as_json:
        typer.echo(json.dumps(page))
        return
    table = Table(Column("id", no_wrap=True), "event", "status", "attempts", "answer", "created", "next attempt")
    for delivery in page["data"]:
        answer = delivery["error"] or delivery["http_status"] or ""
        planned = _moment(delivery["next_attempt_at"]) if delivery["next_attempt_at"] else ""
        texts = (delivery["attempts"], answer, _moment(delivery["created_at"]), planned)
        table.add_row(delivery["id"], delivery["event"], delivery["status"], *(escape(str(text)) for text in texts))
    out.print(table)
    if page["has_more"]:
        err.print(f"There are more: --after {page['next']}")


@app.command()
def redeliver(
    endpoint: Endpoint, delivery: Annotated[UUID, typer.Argument(help="As `aico webhooks deliveries` shows it.")]
) -> None:
    """Send again what was delivered or has failed, under the same id."""
    _call("POST", f"/{endpoint}/deliveries/{delivery}/redeliver")
    err.print(f"{delivery} is sent again.")


@app.command()
def enable(endpoint: Endpoint) -> None:
    """Enable an endpoint; what waited for it is sent."""
    _call("PATCH", f"/{endpoint}", json={"enabled": True})
    err.print(f"Enabled {endpoint}.")


@app.command()
def disable(endpoint: Endpoint) -> None:
    """Disable an endpoint; it hears of nothing that happens meanwhile, and what is pending waits."""
    _call("PATCH", f"/{endpoint}", json={"enabled": False})
    err.print(f"Disabled {endpoint}.")


def _call(method: str, path: str, **options: Any) -> dict[str, Any]:
    with Client.from_settings(get_settings()) as client:
        return client.request(method, PATH + path, **options)


def _moment(text: str) -> str:
    """An ISO 8601 time down to the minute."""
    return text[:16].replace("T", " ")


def _state(endpoint: dict[str, Any]) -> str:
    return "enabled" if endpoint["enabled"] else f"disabled: {endpoint['disabled_reason']}"
