"""Who is there after the first start: nobody is added beside people, and nobody is left without his tenant."""

import stat
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from conftest import Postgres
from embedded.auth.conftest import Project, ServeAuth, auth_config, own_files, serve_auth  # noqa: F401 - fixtures

from aico.cli.auth_admin import AuthAdmin, Json
from aico.cli.first_person import OWNER, ensure_owner
from aico.core.ids import new_id
from aico.embedded.auth.files import Files
from aico.store.blocking import Database


class Fresh(AuthAdmin):
    """Knows of nobody but the owner: the server's other people belong to other tests."""

    def users(self) -> Iterator[Json]:
        return (user for user in super().users() if user["email"] == OWNER)


@pytest.fixture
def project(serve_auth: ServeAuth, own_files: Files) -> Iterator[Project]:  # noqa: F811 - the fixtures
    with serve_auth(files=own_files) as running:
        yield running


@pytest.fixture
def fresh(project: Project) -> Iterator[Fresh]:
    with Fresh(project.url, project.secret) as admin:
        yield admin
        for user in admin.users():
            admin.remove(user["id"])


@pytest.fixture
def tenant() -> str:
    return f"first {new_id()}"


def roles(postgres: Postgres, tenant: str) -> list[tuple[UUID, str]]:
    with psycopg.connect(postgres.admin_url) as connection:
        query = "select m.user_id, m.role from public.members m join public.tenants t on t.id = m.tenant_id"
        return connection.execute(f"{query} where t.name = %s", (tenant,)).fetchall()


def test_the_first_person_owns_the_tenant_operates_it_all_and_signs_in_with_the_password_of_a_private_file(
    project: Project, fresh: Fresh, database: Database, postgres: Postgres, tenant: str, tmp_path: Path
) -> None:
    file = tmp_path / "owner.password"
    ensure_owner(fresh, database, tenant, file)
    signed_in = project.sign_in(OWNER, file.read_text())
    assert signed_in.status_code == 200
    user = signed_in.json()["user"]
    assert roles(postgres, tenant) == [(UUID(user["id"]), "owner")]
    assert user["app_metadata"]["aico_operator"] is True
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_start_that_was_killed_before_the_membership_is_made_good(
    fresh: Fresh, database: Database, postgres: Postgres, tenant: str, tmp_path: Path
) -> None:
    user = fresh.create(OWNER, "what the killed start wrote down")
    ensure_owner(fresh, database, tenant, tmp_path / "owner.password")
    assert roles(postgres, tenant) == [(UUID(user["id"]), "owner")]
    assert not (tmp_path / "owner.password").exists()


def test_an_owner_who_left_his_tenant_is_not_put_back(
    project: Project, fresh: Fresh, database: Database, postgres: Postgres, tenant: str, tmp_path: Path
) -> None:
    fresh.create(OWNER, "a password of his own")
    assert project.sign_in(OWNER, "a password of his own").status_code == 200
    ensure_owner(fresh, database, tenant, tmp_path / "owner.password")
    assert roles(postgres, tenant) == []


def test_nobody_is_added_where_somebody_is(
    project: Project, database: Database, postgres: Postgres, tenant: str, tmp_path: Path
) -> None:
    project.new_user()
    with AuthAdmin(project.url, project.secret) as admin:
        ensure_owner(admin, database, tenant, tmp_path / "owner.password")
        assert OWNER not in {user["email"] for user in admin.users()}
    assert roles(postgres, tenant) == []
    assert not (tmp_path / "owner.password").exists()
