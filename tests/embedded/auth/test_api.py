"""The API takes the tokens of the stand-in as it takes those of a Supabase project."""

from typing import Any
from uuid import UUID

import httpx2
import pytest
from api.conftest import serving
from conftest import Tenant
from embedded.auth.conftest import Project, ServeAuth

from aico.core.access import Role
from aico.core.settings import Settings
from aico.embedded.auth.files import Files
from aico.embedded.auth.signing import rotate_keys
from aico.store import members
from aico.store.blocking import Database
from aico.store.scope import Scope


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"supabase_jwt_secret": None, "api_key_cache_seconds": 0})


def reads_jobs(api: str, session: dict[str, Any]) -> int:
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    return httpx2.get(f"{api}/v1/jobs", headers=headers).status_code


def enrol(database: Database, tenant: Tenant, user: dict[str, Any], role: Role = Role.VIEWER) -> None:
    database.run(Scope.tenant(tenant.id), members.add(tenant.id, UUID(user["id"]), role))


def test_a_member_is_let_in_and_a_stranger_is_not(
    project: Project, api_settings: Settings, database: Database, tenant: Tenant
) -> None:
    member, stranger = project.new_user(), project.new_user()
    enrol(database, tenant, member)
    update = {"supabase_url": project.url, "personal_tenants": False}
    with serving(api_settings.model_copy(update=update)) as api:
        assert reads_jobs(api, project.sign_in(member["email"]).json()) == 200
        assert reads_jobs(api, project.sign_in(stranger["email"]).json()) == 403


def test_a_rotation_of_keys_locks_nobody_out(
    serve_auth: ServeAuth, own_files: Files, api_settings: Settings, database: Database, tenant: Tenant
) -> None:
    with serve_auth(files=own_files) as project:
        member = project.new_user()
        enrol(database, tenant, member)
        before = project.sign_in(member["email"]).json()
        with serving(api_settings.model_copy(update={"supabase_url": project.url})) as api:
            assert reads_jobs(api, before) == 200
            rotate_keys(own_files.signing_keys, 0)
            assert reads_jobs(api, project.sign_in(member["email"]).json()) == 200
            assert reads_jobs(api, before) == 200
