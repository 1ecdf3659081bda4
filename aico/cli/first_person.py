"""Whoever starts the product for the first time can sign in at once.

He owns the tenant whose key he has, and since all of it runs for him he is its operator too.
"""

from collections.abc import Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from uuid import UUID

from aico.cli.auth_admin import AuthAdmin
from aico.cli.stack import Stack
from aico.cli.tenancy import ensure_tenant
from aico.core.access import OPERATOR_CLAIM, Role
from aico.embedded.secret_file import load_or_create_secret
from aico.store import members
from aico.store.blocking import Database
from aico.store.scope import Scope

OWNER = "owner@localhost"


def welcome(stack: Stack) -> None:
    """Where `stack` has people of its own, and there is nobody yet. To be called once all of it runs."""
    if stack.auth is None:
        return
    secret = stack.auth.files.secret_key.get_secret_value()
    database = Database(stack.environment["DATABASE_URL"], max_size=1)
    with AuthAdmin(stack.auth.url, secret) as admin, closing(database):
        database.open()
        ensure_owner(admin, database, stack.tenant, stack.owner_password_file)


def ensure_owner(admin: AuthAdmin, database: Database, tenant: str, password_file: Path) -> None:
    """Only where there is nobody. A start that is killed on the way is made good by the next one."""
    people = list(islice(admin.users(), 2))
    if not people:
        people = [admin.create(OWNER, load_or_create_secret(password_file).get_secret_value())]
    if len(people) == 1 and _is_new_owner(people[0]):
        tenant_id = ensure_tenant(database, tenant)
        admin.change(people[0]["id"], app_metadata={OPERATOR_CLAIM: True})
        database.run(Scope.tenant(tenant_id), members.add(tenant_id, UUID(people[0]["id"]), Role.OWNER))


def _is_new_owner(person: Mapping[str, object]) -> bool:
    """Whom the first start made, perhaps without coming to his membership: he has not been here to give it up."""
    return person.get("email") == OWNER and person.get("last_sign_in_at") is None
