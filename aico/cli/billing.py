"""Billing from the operator's side: how accounts stand, reports of use, and the share of what has been saved."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from aico.api.billing_schemas import ShareView
from aico.billing.factory import load_gateway
from aico.cli import jobs
from aico.cli.options import AsJson
from aico.cli.show import cents, err, out
from aico.cli.tenancy import TenantName, find_tenant, open_database
from aico.core.errors import InvalidInput, NotFound
from aico.core.metering import in_doubt
from aico.core.savings import measure
from aico.core.settings import get_settings
from aico.core.share import is_final, month_of, this_month
from aico.store import billing, ledger, savings, usage_reports
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.workers.billing import BATCH, Biller

OPERATOR = "operator"

app = typer.Typer(help="Payment through Stripe: accounts and reports of use.", no_args_is_help=True)
report_app = typer.Typer(help="What was spent and saved, and the operator's share of that.")


@app.command()
def status(tenant: Annotated[str | None, typer.Argument(help="The tenant's name; else counts of all.")] = None) -> None:
    """Show how a tenant stands, with its reports that were not sent; or how many accounts are in which state."""
    with closing(open_database()) as database:
        if tenant is None:
            _show_states(database)
        else:
            _show_account(database, find_tenant(database, tenant))


def _show_states(database: Database) -> None:
    table = Table("subscription", "plan", "accounts", "reports not sent")
    for state in database.run(Scope.system(), billing.states()):
        table.add_row(state.status or "none", state.plan or "none", str(state.accounts), str(state.unsent))
    out.print(table)


def _show_account(database: Database, tenant: UUID) -> None:
    scope = Scope.tenant(tenant)
    (account,) = database.run(scope, billing.account(tenant))
    standing = account.standing
    table = Table("billing", "value")
    table.add_row("plan", account.tenant_plan or "none")
    table.add_row("customer", account.customer or "none")
    table.add_row("subscription", standing.subscription or "none")
    table.add_row("status", standing.status or "none")
    table.add_row("period ends", f"{standing.period_end:%Y-%m-%d %H:%M}" if standing.period_end else "none")
    table.add_row("then canceled", "yes" if standing.cancel_at_period_end else "no")
    table.add_row("overdue since", f"{standing.overdue_since:%Y-%m-%d %H:%M}" if standing.overdue_since else "never")
    out.print(table)
    now = datetime.now(UTC)
    reports = Table("report not sent", "quantity", "state")
    for report in database.run(scope, usage_reports.unsent(tenant)):
        state = "in doubt" if in_doubt(report.tried_at, now) else "to be sent"
        reports.add_row(report.identifier, str(report.quantity), state)
    if reports.row_count:
        out.print(reports)


@app.command()
def report_usage(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be reported, and change nothing.")
    ] = False,
) -> None:
    """Report use of all closed days now; the sweeper does it once an hour.

    Exit code 0: reported or shown; 1: Stripe does not answer; 2: billing is off.
    """
    with _biller() as (database, biller):
        if dry_run:
            table = Table("tenant", "day", "unit", "quantity")
            for tenant in _metered(database):
                for use in biller.unreported(tenant):
                    table.add_row(str(tenant), f"{use.day}", use.unit, str(use.quantity))
            out.print(table)
        else:
            sent = sum(biller.report(tenant) for tenant in _metered(database))
            err.print(f"{sent} reports sent.")


@app.command()
def settle(
    tenant: TenantName,
    identifier: Annotated[str, typer.Argument(help="As `aico billing status` shows it.")],
    arrived: Annotated[bool, typer.Option("--arrived/--lost", help="Whether Stripe has it; if not, it is sent again.")],
) -> None:
    """Say what became of a report in doubt, after a look at the meter in Stripe's dashboard.

    Exit code 0: settled; 1: there is no such tenant or report.
    """
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        statement = usage_reports.settle(tenant_id, identifier, OPERATOR, arrived=arrived)
        if not database.run(Scope.tenant(tenant_id), statement):
            raise NotFound(f"{tenant!r} has no report {identifier!r} that was not sent")
    err.print("Settled.")


@contextmanager
def _biller() -> Iterator[tuple[Database, Biller]]:
    settings = get_settings()
    gateway = load_gateway(settings)
    if gateway is None:
        raise InvalidInput("billing is off: STRIPE_API_KEY is not set")
    with closing(open_database()) as database:
        yield database, Biller(database, gateway, settings)


def _metered(database: Database) -> Iterator[UUID]:
    """Each tenant once: those counted meanwhile come last."""
    seen: set[UUID] = set()
    limit = BATCH
    while True:
        found = database.run(Scope.system(), usage_reports.to_meter(pause_seconds=0, limit=limit))
        fresh = [tenant for tenant in found if tenant not in seen]
        yield from fresh
        seen.update(fresh)
        if len(found) < limit:
            return
        limit = len(seen) + BATCH


@report_app.callback(invoke_without_command=True)
def report(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=366, help="Whole days back from now, UTC.")] = 30,
    as_json: AsJson = False,
) -> None:
    """What was spent, what the baseline model would have cost, and the difference."""
    if context.invoked_subcommand is None:
        jobs.report(days, as_json=as_json)


@report_app.command()
def share(
    tenant: TenantName,
    month: Annotated[str | None, typer.Option(metavar="MONTH", help="Such as 2026-11; else this one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """The operator's share of what a tenant has saved in a month, UTC, straight from the database.

    Exit code 0: shown; 1: there is no such tenant; 2: the command makes no sense.
    """
    chosen = month or this_month(datetime.now(UTC))
    try:
        since, until = month_of(chosen)
    except ValueError as error:
        raise InvalidInput(f"--month is a year and a month such as 2026-11, not {month!r}") from error
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        scope = Scope.tenant(tenant_id)
        (pending,) = database.run(scope, ledger.pending(tenant_id))
        spending = savings.total(database.run(scope, savings.spending(tenant_id, since, until)))
        measured = measure(dict(database.run(scope, savings.holdout(tenant_id, since, until))), spending.own_cents)
    final = is_final(until, datetime.now(UTC), pending_events=pending)
    view = ShareView.of(chosen, spending, measured, get_settings().revenue_share, final=final)
    if as_json:
        typer.echo(view.model_dump_json())
        return
    table = Table("share", "value")
    for name, value in view:
        shown = cents(value) if name.endswith("_cents") else str(value)
        table.add_row(name.removesuffix("_cents").replace("_", " "), Text(shown))
    out.print(table)
