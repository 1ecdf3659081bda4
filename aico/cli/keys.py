"""`aico keys`: a tenant's API keys, from the operator's side, straight in the database."""

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from aico.cli.options import ahead
from aico.cli.show import err, out
from aico.cli.telling import tell
from aico.cli.tenancy import ensure_tenant, find_tenant, open_database
from aico.core import changes
from aico.core.access import Permission
from aico.core.errors import Conflict, InvalidInput, NotFound
from aico.core.keys import make_key, make_secret
from aico.core.settings import get_settings
from aico.routing.catalogue import Catalogue
from aico.store import api_keys
from aico.store.api_keys import ApiKey
from aico.store.scope import Scope

app = typer.Typer(help="API keys of a tenant.", no_args_is_help=True)

_PAGE = 100
_DAY_SECONDS = 24 * 3600

Tenant = Annotated[str, typer.Option(help="The tenant's name or id.")]
Prefix = Annotated[str, typer.Argument(help="As `aico keys ls` shows it.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    tenant: Tenant = "development",
    scope: Annotated[
        list[Permission] | None, typer.Option(help="What it may do; repeatable. Without one: what a program needs.")
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option(parser=ahead, metavar="TIME", help="When it ends: 2027-01-01T00:00:00Z, or a span such as 90d."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Which models may answer; repeatable. Without one: all.")
    ] = None,
) -> None:
    """Make a key and print it. It is shown this once; a tenant that does not exist yet is made."""
    _check_models(model or ())
    key = make_key(name, expires)
    with closing(open_database()) as database:
        tenant_id = ensure_tenant(database, tenant)
        statement = api_keys.create(
            tenant_id, key, list(dict.fromkeys(scope or ())), list(dict.fromkeys(model or ())) or None
        )
        if not database.run(Scope.tenant(tenant_id), statement):
            raise Conflict(f"{tenant!r} has {api_keys.MAX_LIVE} keys, and no more are allowed")
    err.print(f"A key for [bold]{escape(tenant)}[/bold]; it cannot be shown again:")
    typer.echo(key.secret.get_secret_value())


@app.command()
def ls(tenant: Tenant = "development") -> None:
    """List a tenant's keys, newest first."""
    table = Table("prefix", "name", "created", "expires", "last used", "scopes", "models", "state")
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        after = None
        while True:
            found = database.run(Scope.tenant(tenant_id), api_keys.page(tenant_id, after=after, limit=_PAGE))
            for key in found:
                table.add_row(*(escape(text) for text in _cells(key)))
            if len(found) < _PAGE:
                break
            after = found[-1].id
    out.print(table)


def _cells(key: ApiKey) -> Iterable[str]:
    yield key.prefix
    yield key.name
    yield f"{key.created_at:%Y-%m-%d %H:%M}"
    yield f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "never"
    yield f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
    yield " ".join(sorted(key.scopes)) or "default"
    yield "all" if key.models is None else " ".join(sorted(key.models))
    yield key.state


@app.command()
def rotate(
    prefix: Prefix,
    tenant: Tenant = "development",
    overlap_seconds: Annotated[
        int, typer.Option("--overlap", min=0, max=30 * _DAY_SECONDS, help="Seconds for which the old secret works.")
    ] = _DAY_SECONDS,
) -> None:
    """Give a key a new secret and print it. It is shown this once; the key's id, limits and history stay."""
    secret = make_secret()
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        statement = api_keys.rotate(tenant_id, None, secret, overlap_seconds, prefix=prefix)
        rotated = database.run(Scope.tenant(tenant_id), statement)
    if not rotated:
        raise NotFound(f"{tenant!r} has no live key {prefix!r}")
    for key in rotated:
        tell(changes.of_key(key))
    err.print(f"A new secret; {prefix} works for {overlap_seconds} s more. It cannot be shown again:")
    typer.echo(secret.text.get_secret_value())


@app.command()
def revoke(prefix: Prefix, tenant: Tenant = "development") -> None:
    """Revoke a key; it stops working at once."""
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        revoked = database.run(Scope.tenant(tenant_id), api_keys.revoke(tenant_id, prefix=prefix))
    if not revoked:
        raise NotFound(f"{tenant!r} has no live key {prefix!r}")
    for key in revoked:
        tell(changes.of_key(key))
    err.print(f"Revoked {prefix}.")


def _check_models(models: Iterable[str]) -> None:
    known = Catalogue.from_settings(get_settings()).known
    for model in models:
        if model not in known:
            raise InvalidInput(f"--model is a model's id as `GET /providers` lists them, not {model!r}")
