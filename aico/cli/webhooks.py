"""Webhook endpoints of a tenant, from the operator's side."""

from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from aico.cli.show import err, out
from aico.cli.tenancy import Tenant, find_tenant, open_database
from aico.core.errors import InvalidInput, NotFound
from aico.core.ids import new_id
from aico.core.settings import get_settings
from aico.store import webhooks
from aico.store.scope import Scope
from aico.workers.egress import parse_url

app = typer.Typer(help="Endpoints that are told when a tenant's jobs end.", no_args_is_help=True)

MAX_URL = 2000  # characters, as the table has it

Events = Annotated[
    list[str] | None,
    typer.Option("--event", help=f"One of {', '.join(webhooks.EVENTS)}; may be repeated. All if none."),
]


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Where to POST to.")], tenant: Tenant = "development", event: Events = None
) -> None:
    """Add an endpoint and print its signing secret, which is shown this once."""
    parse_url(url, allow_private=get_settings().webhook_allow_private)
    if len(url) > MAX_URL:
        raise InvalidInput(f"a webhook's URL has at most {MAX_URL} characters, this one {len(url)}")
    events = list(dict.fromkeys(event or ()))
    unknown = [name for name in events if name not in webhooks.EVENTS]
    if unknown:
        raise InvalidInput(f"there is no event {unknown[0]!r}; there are {', '.join(webhooks.EVENTS)}")
    database = open_database()
    tenant_id, endpoint, secret = find_tenant(database, tenant), new_id(), webhooks.make_secret()
    database.run(Scope.tenant(tenant_id), webhooks.add(tenant_id, endpoint, url, secret, events))
    database.close()
    err.print(f"Endpoint {endpoint} of [bold]{tenant}[/bold]; its signing secret cannot be shown again:")
    typer.echo(secret.get_secret_value())


@app.command()
def ls(tenant: Tenant = "development") -> None:
    """List a tenant's endpoints."""
    database = open_database()
    tenant_id = find_tenant(database, tenant)
    table = Table("id", "URL", "events", "created", "state")
    for endpoint in database.run(Scope.tenant(tenant_id), webhooks.endpoints(tenant_id)):
        state = "enabled" if endpoint.enabled else "disabled"
        events = ", ".join(endpoint.events) or "all"
        table.add_row(str(endpoint.id), endpoint.url, events, f"{endpoint.created_at:%Y-%m-%d %H:%M}", state)
    database.close()
    out.print(table)


@app.command()
def rm(
    endpoint: Annotated[UUID, typer.Argument(help="As `aico webhooks ls` shows it.")], tenant: Tenant = "development"
) -> None:
    """Remove an endpoint, with what was still to be delivered to it."""
    database = open_database()
    tenant_id = find_tenant(database, tenant)
    removed = database.run(Scope.tenant(tenant_id), webhooks.remove(tenant_id, endpoint))
    database.close()
    if not removed:
        raise NotFound(f"{tenant!r} has no endpoint {endpoint}")
    err.print(f"Removed {endpoint}.")
