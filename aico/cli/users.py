"""People who sign in: at the local stand-in for Supabase Auth, or at the project that the settings name."""

import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Column, Table
from rich.text import Text

from aico.cli.auth_admin import AuthAdmin, Json
from aico.cli.show import err, out
from aico.cli.tenancy import ensure_tenant, open_database
from aico.core.access import OPERATOR_CLAIM, Role
from aico.core.errors import InvalidInput
from aico.core.settings import get_settings
from aico.embedded.auth.files import Files
from aico.embedded.auth.signing import rotate_keys as rotate_signing_keys
from aico.store import members
from aico.store.scope import Scope

app = typer.Typer(help="People who sign in, and the keys that their tokens are signed with.", no_args_is_help=True)

FOREVER = "876000h"  # a hundred years

Email = Annotated[str, typer.Argument(help="Whom.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def create(
    email: Email,
    tenant: Annotated[str | None, typer.Option(help="Make a member of this tenant; a new one is made.")] = None,
    role: Annotated[Role | None, typer.Option(help="In that tenant; member if not given.")] = None,
    password_stdin: FromStdin = False,
) -> None:
    """Add a person, who can sign in at once.

    Exit code 0: added; 1: the email is taken, or no server answers; 2: the command makes no sense.
    """
    if role is not None and tenant is None:
        raise InvalidInput("--role needs --tenant")
    password = _password(from_stdin=password_stdin)
    with _admin() as admin:
        if tenant is None:
            user = admin.create(email, password)
        else:
            user = _create_member(admin, email, password, tenant, role or Role.MEMBER)
    err.print(f"Added {user['email']}.", markup=False)
    typer.echo(user["id"])


@app.command()
def ls() -> None:
    """List everybody, oldest first."""
    table = Table("email", Column("id", no_wrap=True), "last sign-in", "state")
    with _admin() as admin:
        for user in admin.users():
            seen = _minute(user.get("last_sign_in_at"))
            table.add_row(Text(user.get("email") or "none"), user["id"], seen, _state(user))
    out.print(table)


@app.command("set-password")
def set_password(email: Email, password_stdin: FromStdin = False) -> None:
    """Give somebody a new password; all their sessions end."""
    with _admin() as admin:
        user = admin.find(email)
        admin.change(user["id"], password=_password(from_stdin=password_stdin))
    err.print(f"{user['email']} has a new password.", markup=False)


@app.command()
def ban(email: Email) -> None:
    """Keep somebody from signing in; an access token lasts until it expires, within an hour."""
    with _admin() as admin:
        user = admin.find(email)
        admin.change(user["id"], ban_duration=FOREVER)
    err.print(f"{user['email']} is banned.", markup=False)


@app.command()
def unban(email: Email) -> None:
    """Let somebody sign in again."""
    with _admin() as admin:
        user = admin.find(email)
        admin.change(user["id"], ban_duration="none")
    err.print(f"{user['email']} may sign in.", markup=False)


@app.command()
def remove(email: Email) -> None:
    """Delete an account, and its memberships with it."""
    with _admin() as admin:
        user = admin.find(email)
        admin.remove(user["id"])
    err.print(f"Removed {user['email']}.", markup=False)


@app.command()
def operator(
    email: Email, revoke: Annotated[bool, typer.Option("--revoke", help="Make an operator a user like others.")] = False
) -> None:
    """Let somebody see the whole installation's queues, workers and dead letters; it holds from the next sign-in on."""
    with _admin() as admin:
        user = admin.find(email)
        admin.change(user["id"], app_metadata={OPERATOR_CLAIM: not revoke})
    err.print(f"{user['email']} is {'no' if revoke else 'an'} operator.", markup=False)


@app.command("rotate-keys")
def rotate_keys() -> None:
    """Sign with the next key from now on, at the local stand-in. Tokens that are out stay good until they expire."""
    rotate_signing_keys(Files.under(get_settings().state_dir).signing_keys, time.time())
    err.print("The next key signs from now on.")


def _admin() -> AuthAdmin:
    return AuthAdmin.from_settings(get_settings())


def _create_member(admin: AuthAdmin, email: str, password: str, tenant: str, role: Role) -> Json:
    with closing(open_database()) as database:
        tenant_id = ensure_tenant(database, tenant)
        user = admin.create(email, password)
        database.run(Scope.tenant(tenant_id), members.add(tenant_id, UUID(user["id"]), role))
    return user


def _password(*, from_stdin: bool) -> str:
    """Typed twice unseen, or the first line of standard input."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise InvalidInput("there is no terminal to ask for the password: use --password-stdin")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _state(user: Json) -> str:
    until = user.get("banned_until")
    return "banned" if until and datetime.fromisoformat(until) > datetime.now(UTC) else "active"


def _minute(moment: str | None) -> str:
    return moment[:16].replace("T", " ") if moment else "never"
