"""What tenants may use, as the operator agreed with them, straight in the database."""

from contextlib import closing
from decimal import Decimal
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.table import Column, Table
from rich.text import Text

from aico.cli.show import err, out
from aico.cli.tenancy import TenantName, find_tenant, open_database
from aico.core.errors import InvalidInput, NotFound
from aico.core.inputs import QuotaScope
from aico.core.quotas import TENANT_SCOPE, Period, Quota, Source, Unit, plain
from aico.store import quotas
from aico.store.quotas import MAX_QUOTAS, Outcome
from aico.store.scope import Scope

app = typer.Typer(help="What tenants may use, straight in the database.", no_args_is_help=True)

OPERATOR = "operator"
_MOST, _PLACES = Decimal(10**15), 6

In = Annotated[Period, typer.Option("--period", help="A window of the calendar, in UTC.")]
Of = Annotated[Unit, typer.Option("--unit", help="What is counted; cents are US cents.")]
For = Annotated[
    str, typer.Option("--scope", metavar="SCOPE", help="tenant, key: and an API key's id, or tag: and a tag.")
]


@app.command()
def ls(tenant: TenantName) -> None:
    """Show a tenant's quotas, whoever set them, and how they stand."""
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        found = database.run(Scope.tenant(tenant_id), quotas.standings(tenant_id))
    longest = max((len(one.quota.name) for one in found), default=0)  # a name that is cut is none
    table = Table(Column("quota", min_width=longest), "source", "limit", "used", "reserved", "left", "resets")
    for one in found:
        amounts = (plain(amount) for amount in (one.limit, one.used, one.reserved, one.left))
        table.add_row(Text(one.quota.name), one.source, *amounts, f"{one.resets_at:%m-%d %H:%M}")
    out.print(table)


@app.command("set")
def set_quota(
    tenant: TenantName,
    limit: Annotated[str, typer.Argument(help="For each window, in the unit.")],
    period: In,
    unit: Of,
    scope: For = TENANT_SCOPE,
) -> None:
    """Set a quota, which the tenant cannot loosen. Its window begins with what was used in it before.

    Exit code 0: set; 1: there is no such tenant or key; 2: the command makes no sense.
    """
    quota, amount = Quota(_scope(scope), period, unit), _amount(limit)
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        statement = quotas.put(tenant_id, quota, amount, Source.OPERATOR, OPERATOR)
        (outcome,) = database.run(Scope.tenant(tenant_id), statement)
    if outcome is Outcome.NO_KEY:
        raise NotFound(f"{tenant!r} has no API key with that id")
    if outcome is Outcome.TOO_MANY:
        raise InvalidInput(f"{tenant!r} has {MAX_QUOTAS} quotas; remove one first")
    err.print(f"Set {quota.name} to {plain(amount)}.", markup=False)


@app.command()
def rm(tenant: TenantName, period: In, unit: Of, scope: For = TENANT_SCOPE) -> None:
    """Remove a quota that the operator set. Those of the plan and the tenant stay.

    Exit code 0: removed; 1: there is no such tenant or quota; 2: the command makes no sense.
    """
    quota = Quota(_scope(scope), period, unit)
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        statement = quotas.remove(tenant_id, quota, Source.OPERATOR, OPERATOR)
        removed = database.run(Scope.tenant(tenant_id), statement)
    if removed != [True]:
        raise NotFound(f"the operator has set no quota {quota.name} for {tenant!r}")
    err.print(f"Removed {quota.name}.", markup=False)


def _scope(text: str) -> str:
    try:
        return TypeAdapter(QuotaScope).validate_python(text)
    except ValidationError as error:
        raise InvalidInput(f"--scope is tenant, key:ID or tag:TAG, not {text!r}") from error


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except ArithmeticError as error:
        raise InvalidInput(f"a limit is a number, not {text!r}") from error
    if not amount.is_finite() or not 0 <= amount <= _MOST or amount != round(amount, _PLACES):
        raise InvalidInput(f"a limit is between 0 and {_MOST:f}, with at most {_PLACES} places, not {text!r}")
    return amount
