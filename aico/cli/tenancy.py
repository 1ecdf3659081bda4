"""Tenants, their plans, shares of the work and policies, from the operator's side: straight in the database."""

import re
from contextlib import closing
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Column, Table

from aico.cli.show import err, out
from aico.cli.telling import tell
from aico.core import changes
from aico.core.errors import InvalidInput, NotFound
from aico.core.ids import new_id
from aico.core.jobs import JobClass
from aico.core.keys import hash_key, make_key
from aico.core.plans import Plan
from aico.core.settings import get_settings
from aico.embedded.secret_file import write_private
from aico.store import api_keys, tenants
from aico.store.blocking import Database
from aico.store.scope import Scope

tenants_app = typer.Typer(help="Tenants, their plans, policies and shares of the work.", no_args_is_help=True)

LEAST_WEIGHT, MOST_WEIGHT = 0.001, 1000.0
GENERAL = "none"  # no cap of its own
SERVICE = "service"  # no policy of its own
NO_PLAN = "none"
LONGEST_NAME = 200
_CAP = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)

TenantName = Annotated[str, typer.Argument(help="The tenant's name.")]


def ensure_tenant(database: Database, name: str) -> UUID:
    found = database.run(Scope.system(), tenants.find(name))
    if found:
        return found[0].id
    tenant = new_id()
    database.run(Scope.tenant(tenant), tenants.create(tenant, name))
    return tenant


def ensure_key(database: Database, tenant_name: str, file: Path) -> tuple[str, bool]:
    """The tenant's development key, kept in `file`, and whether it had to be made."""
    if file.exists():
        key = file.read_text("ascii")
        if database.run(Scope.system(), api_keys.authenticate(hash_key(key))):
            return key, False
    tenant = ensure_tenant(database, tenant_name)
    made = make_key("development")
    database.run(Scope.tenant(tenant), api_keys.create(tenant, made))
    write_private(file, made.secret.get_secret_value())
    return made.secret.get_secret_value(), True


def open_database() -> Database:
    database = Database(get_settings().database_url, max_size=1)
    database.open()
    return database


def find_tenant(database: Database, name: str) -> UUID:
    found = database.run(Scope.system(), tenants.find(name))
    if not found:
        raise NotFound(f"there is no tenant named {name!r}")
    return found[0].id


@tenants_app.command()
def ls(
    after: Annotated[UUID | None, typer.Option(help="Those after this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 100,
) -> None:
    """List all tenants, oldest first. Those that users made have their id as name."""
    with closing(open_database()) as database:
        found = database.run(Scope.system(), tenants.everyone(after=after, limit=limit + 1))
    table = Table(Column("id", no_wrap=True), "name", "shown as", "plan", "members", "created")
    for one in found[:limit]:
        name = "" if one.name == str(one.id) else one.name
        texts = (name, one.display_name or "", one.plan or "none", one.members, f"{one.created_at:%Y-%m-%d %H:%M}")
        table.add_row(str(one.id), *(escape(str(text)) for text in texts))
    out.print(table)
    if len(found) > limit:
        err.print(f"There are more: --after {found[limit - 1].id}")


@tenants_app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is called; no other tenant has that name.")],
    plan: Annotated[
        Plan | None, typer.Option(help="What it has subscribed to; without one, no plan limits it.")
    ] = None,
) -> None:
    """Make a tenant and print its id. Exit code 0: made; 2: there is one of that name, or the name makes no sense."""
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidInput(f"a name has 1 to {LONGEST_NAME} characters")
    with closing(open_database()) as database:
        if database.run(Scope.system(), tenants.find(name)):
            raise InvalidInput(f"there is a tenant named {name!r} already")
        tenant = new_id()
        database.run_each(
            [
                (Scope.tenant(tenant), statement)
                for statement in (tenants.create(tenant, name), *([tenants.set_plan(tenant, plan)] if plan else []))
            ]
        )
    typer.echo(tenant)


@tenants_app.command()
def plan(
    tenant: TenantName,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help=f"{', '.join(Plan)}, or {NO_PLAN}.")],
) -> None:
    """Set what a tenant has subscribed to. Exit code 0: set; 1: there is no such tenant; 2: there is no such plan."""
    if plan not in {*Plan, NO_PLAN}:
        raise InvalidInput(f"a plan is one of {', '.join(Plan)}, {NO_PLAN}, not {plan!r}")
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        chosen = None if plan == NO_PLAN else Plan(plan)
        database.run(Scope.tenant(tenant_id), tenants.set_plan(tenant_id, chosen))
    tell(changes.of_tenant(tenant_id))
    err.print(f"{tenant} has the plan {plan}.", markup=False)


@tenants_app.command()
def share(
    tenant: TenantName,
    job_class: Annotated[JobClass, typer.Option("--class", help="Of which class.")],
    weight: Annotated[
        float | None, typer.Option(help=f"Turns against 1 of the others, {LEAST_WEIGHT} to {MOST_WEIGHT:.0f}.")
    ] = None,
    in_flight: Annotated[
        str | None, typer.Option(metavar="N", help=f"Jobs under way at once, or {GENERAL}: the general cap.")
    ] = None,
) -> None:
    """Set a tenant's share of a class; what is not given stays as it is.

    Exit code 0: set; 1: there is no such tenant; 2: the command makes no sense.
    """
    if weight is None and in_flight is None:
        raise InvalidInput("give --weight, --in-flight or both")
    if weight is not None and not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
        raise InvalidInput(f"a weight is between {LEAST_WEIGHT} and {MOST_WEIGHT:.0f}")
    cap = None if in_flight is None else _cap(in_flight)
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        scope = Scope.tenant(tenant_id)
        changes = []
        if weight is not None:
            changes.append((scope, tenants.set_weight(tenant_id, job_class, weight)))
        if in_flight is not None:
            changes.append((scope, tenants.set_in_flight_cap(tenant_id, job_class, cap)))
        database.run_each(changes)
    err.print(f"Set; `aico tenants shares {tenant}` shows all.", markup=False)


@tenants_app.command()
def shares(tenant: TenantName) -> None:
    """Show a tenant's share of each class."""
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        found = {one.job_class: one for one in database.run(Scope.tenant(tenant_id), tenants.shares(tenant_id))}
    table = Table("class", "weight", "in flight")
    for job_class in JobClass:
        one = found.get(job_class, tenants.Share(job_class, 1, None))
        table.add_row(job_class, f"{one.weight:g}", "general" if one.in_flight_cap is None else str(one.in_flight_cap))
    out.print(table)


def _cap(text: str) -> int | None:
    if text == GENERAL:
        return None
    if not _CAP.fullmatch(text):
        raise InvalidInput(f"--in-flight is a number from 1 to 999999, or {GENERAL}, not {text!r}")
    return int(text)
