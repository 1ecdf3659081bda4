"""`aico members`: who belongs to a tenant, from the operator's side, straight in the database."""

from contextlib import closing
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Column, Table

from aico.cli.show import err, out
from aico.cli.telling import tell
from aico.cli.tenancy import TenantName, find_tenant, open_database
from aico.core import changes
from aico.core.access import Role
from aico.core.errors import Conflict, NotFound
from aico.store import members, tenants
from aico.store.blocking import Database
from aico.store.members import Verdict
from aico.store.scope import Scope
from aico.store.statement import Statement

app = typer.Typer(help="Members of a tenant and their roles.", no_args_is_help=True)

_PAGE = 100

User = Annotated[str, typer.Argument(help="The user's e-mail address or id.")]


@app.command()
def add(
    tenant: TenantName, user: User, role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.MEMBER
) -> None:
    """Make a user a member. Exit code 0: made; 1: there is no such tenant or user, or the user is one already."""
    with closing(open_database()) as database:
        tenant_id, user_id = find_tenant(database, tenant), _find_user(database, user)
        if not database.run(Scope.tenant(tenant_id), members.add(tenant_id, user_id, role)):
            raise Conflict(f"{user} is a member of {tenant!r} already; `aico members role` changes the role")
    tell(changes.of_user(user_id))
    err.print(f"{user} is {role} of {tenant}.", markup=False)


@app.command()
def ls(tenant: TenantName) -> None:
    """List a tenant's members, oldest first."""
    table = Table(Column("id", no_wrap=True), "e-mail", "role", "since")
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        after = None
        while True:
            found = database.run(Scope.tenant(tenant_id), members.page(tenant_id, after=after, limit=_PAGE))
            for one in found:
                table.add_row(str(one.user), escape(one.email or ""), one.role, f"{one.since:%Y-%m-%d %H:%M}")
            if len(found) < _PAGE:
                break
            after = found[-1].user
    out.print(table)


@app.command()
def role(tenant: TenantName, user: User, role: Annotated[Role, typer.Argument(help="The new one.")]) -> None:
    """Give a member another role. Exit code 0: given; 1: no such member, or it is the last owner."""
    _change(tenant, user, role)
    err.print(f"{user} is {role} of {tenant}.", markup=False)


@app.command()
def remove(tenant: TenantName, user: User) -> None:
    """Remove a member; the user's access ends at once. Exit code 0: removed; 1: no such member, or the last owner."""
    _change(tenant, user, None)
    err.print(f"{user} is no member of {tenant} any more.", markup=False)


def _change(tenant: str, user: str, role: Role | None) -> None:
    with closing(open_database()) as database:
        tenant_id, user_id = find_tenant(database, tenant), _find_user(database, user)
        scope = Scope.tenant(tenant_id)
        work: list[tuple[Scope, Statement[Any]]] = [
            (scope, tenants.lock(tenant_id)),
            (scope, members.change(tenant_id, user_id, role)),
        ]
        _, verdicts = database.run_each(work)
    if not verdicts:
        raise NotFound(f"{user} is no member of {tenant!r}")
    if Verdict.LAST_OWNER in verdicts:
        raise Conflict(f"{user} is the last owner of {tenant!r}; make another one first")
    tell(changes.of_user(user_id))


def _find_user(database: Database, who: str) -> UUID:
    found = database.run(Scope.system(), members.users_called(who))
    if not found:
        raise NotFound(f"there is no user {who}")
    if len(found) > 1:
        raise Conflict(
            f"several users have the address {who}; name one by id: {', '.join(str(one.id) for one in found)}"
        )
    return found[0].id
