"""Provider keys that tenants bring, from the operator's side: straight in the database."""

import sys
from contextlib import closing
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from aico.cli.show import err, out
from aico.cli.tenancy import find_tenant, open_database
from aico.core.envelope import KeyEncryption
from aico.core.errors import InvalidInput, NotFound
from aico.core.key_encryption import key_encryption
from aico.core.provider_secrets import hint_of, provider_secret
from aico.core.settings import get_settings
from aico.routing.catalogue import Catalogue
from aico.store import provider_keys
from aico.store.provider_keys import ListedKey, sealed_key
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.store.webhooks import lock_tenant
from aico.workers.rekey import PAGE, Unreadable, count, rewrap_all

app = typer.Typer(help="Provider keys of a tenant's own, straight in the database.", no_args_is_help=True)

OPERATOR = "operator"  # as the audit log names whoever uses the command line

Provider = Annotated[str, typer.Argument(help="As `GET /providers` names it.")]
Tenant = Annotated[str, typer.Option(help="The tenant's name.")]


@app.command("set")
def put(provider: Provider, tenant: Tenant = "development") -> None:
    """Set a tenant's key for a provider. It is asked for without being shown, or read from standard input.

    Exit code 0: set; 1: there is no such tenant; 2: the command, or the key, makes no sense.
    """
    names = [one.name for one in Catalogue.from_settings(get_settings()).providers if one.takes_keys]
    if provider not in names:
        raise InvalidInput(f"keys can be set for {', '.join(names)}, and for no other provider")
    keys = _keys()
    try:
        secret = provider_secret(_entered(provider))
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        scope = Scope.tenant(tenant_id)
        key = sealed_key(keys, tenant_id, provider, secret)
        put_key = provider_keys.put(key, hint_of(secret), OPERATOR)
        work: list[tuple[Scope, Statement[Any]]] = [(scope, lock_tenant(tenant_id)), (scope, put_key)]
        database.run_each(work)
    err.print(f"Set; jobs of {tenant} call {provider} with it from now on.", markup=False)


@app.command()
def ls(tenant: Tenant = "development") -> None:
    """List a tenant's keys, without the keys."""
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        found: list[ListedKey] = database.run(Scope.tenant(tenant_id), provider_keys.ls(tenant_id))
    table = Table("provider", "ends in", "encrypted by", "set", "by")
    for key in found:
        at = f"{key.created_at:%Y-%m-%d %H:%M}"
        table.add_row(key.provider, Text(key.hint or ""), key.kek_id, at, key.created_by)
    out.print(table)


@app.command()
def rm(provider: Provider, tenant: Tenant = "development") -> None:
    """Delete a tenant's key. The operator's is used instead from now on, where there is one."""
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        removed: list[UUID] = database.run(Scope.tenant(tenant_id), provider_keys.remove(tenant_id, provider, OPERATOR))
    if not removed:
        raise NotFound(f"{tenant!r} has no key for {provider!r}")
    err.print(f"Deleted the key of {tenant} for {provider}.", markup=False)


@app.command()
def rotate(
    batch_size: Annotated[int, typer.Option(min=1, max=1000, help="Keys in one transaction.")] = PAGE,
) -> None:
    """Wrap the data keys of all tenants anew, by the first key of ENCRYPTION_KEYS or by the key management service.

    It may be cut off at any time, and goes on where it was. Exit code 0: nothing is left that another key wraps;
    1: some could not be read, and the key-encryption key of those is still needed.
    """
    keys = _keys()
    rewrapped, unreadable = 0, list[Unreadable]()
    with closing(open_database()) as database, Progress(console=err, transient=True) as progress:
        task = progress.add_task("rewrapping", total=count(database, keys))
        for page in rewrap_all(database, keys, OPERATOR, batch_size):
            rewrapped += page.rewrapped
            unreadable += page.unreadable
            progress.advance(task, page.seen)
    typer.echo(f"{rewrapped} rewrapped, {len(unreadable)} unreadable")
    for one in unreadable:
        err.print(f"tenant {one.key.tenant}, {one.key.provider}: {one.why}", markup=False, highlight=False)
    if unreadable:
        raise typer.Exit(1)


def _keys() -> KeyEncryption:
    keys = key_encryption(get_settings())
    if keys is None:
        raise InvalidInput("there is nothing to encrypt keys with: set ENCRYPTION_KEYS or ENCRYPTION_KMS")
    return keys


def _entered(provider: str) -> str:
    """Never an argument: those stay in the shell's history, and everybody sees them in the list of processes."""
    if sys.stdin.isatty():
        entered: str = typer.prompt(f"Key for {provider}", hide_input=True)
        return entered.strip()
    return sys.stdin.readline().strip()
