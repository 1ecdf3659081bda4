"""`aico tenants retention`, `export` and `erase`, in the real database."""

import json
import zipfile
from pathlib import Path
from typing import Any

import psycopg
import pytest
from builders import completed, new_job
from cli.conftest import Aico
from conftest import Postgres, Tenant

from aico.core.jobs import CacheMode
from aico.store import claims, jobs
from aico.store.blocking import Database
from aico.store.scope import Scope

DEFAULT = dict.fromkeys(("jobs", "cache", "ledger", "files", "deliveries"), "service")


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch, postgres: Postgres, tenant: Tenant, redis_url: str) -> str:
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    return f"tenant {tenant.id}"


@pytest.fixture
def prompts(database: Database, tenant: Tenant) -> list[str]:
    """Of jobs that have been answered, with a tag each."""
    scope = Scope.tenant(tenant.id)
    for tag in ("a", "b"):
        job = new_job(f"about {tag}", mode=CacheMode.EXACT)
        database.run(scope, jobs.submit(tenant.id, [job]))
        database.run(scope, claims.finish(tenant.id, [completed(job.id, 0)], 60))
    return ["about a", "about b"]


def shown(out: str) -> dict[str, str]:
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if "│" in line]
    return dict(cells)


def left(database: Database, tenant: Tenant) -> int:
    return len(database.run(Scope.tenant(tenant.id), jobs.page(tenant.id, after=None, status=None, limit=100)))


def test_retention_is_set_for_what_is_given_and_shown(aico: Aico, name: str) -> None:
    assert shown(aico("tenants", "retention", name).out) == DEFAULT
    assert shown(aico("tenants", "retention", name, "--jobs", "7", "--files", "3").out) == {
        **DEFAULT,
        "jobs": "7",
        "files": "3",
    }
    assert shown(aico("tenants", "retention", name, "--jobs", "service").out) == {**DEFAULT, "files": "3"}


@pytest.mark.parametrize("days", ["0", "-1", "366", "soon", "1.5", ""])
def test_retention_that_makes_no_sense_is_refused(aico: Aico, name: str, days: str) -> None:
    outcome = aico("tenants", "retention", name, f"--jobs={days}")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--jobs is a number of days from 1 to 365" in outcome.err
    assert shown(aico("tenants", "retention", name).out) == DEFAULT


@pytest.mark.parametrize("to_a_folder", [True, False])
def test_an_export_is_written_to_a_file_or_into_a_folder(
    aico: Aico, name: str, prompts: list[str], tmp_path: Path, tenant: Tenant, to_a_folder: bool
) -> None:
    target = tmp_path if to_a_folder else tmp_path / "all.zip"
    outcome = aico("tenants", "export", name, "--out", str(target))
    assert outcome.code == 0, outcome.err
    (file,) = tmp_path.glob("*.zip")
    assert str(file.name) in outcome.err.replace("\n", "")
    with zipfile.ZipFile(file) as opened:
        rows = [json.loads(text) for text in opened.read("jobs.jsonl").splitlines()]
        assert json.loads(opened.read("manifest.json"))["tenant_id"] == str(tenant.id)
    assert [row["request"]["messages"][-1]["content"] for row in rows] == prompts
    assert list(tmp_path.glob("*.partial")) == []


def test_an_export_to_nowhere_is_refused(aico: Aico, name: str, tmp_path: Path) -> None:
    outcome = aico("tenants", "export", name, "--out", str(tmp_path / "no" / "where.zip"))
    assert outcome.code == 2
    assert "there is no folder" in outcome.err


def test_everything_is_erased_once_the_name_was_typed(
    aico: Aico,
    name: str,
    prompts: list[str],
    database: Database,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    postgres: Postgres,
) -> None:
    monkeypatch.setattr("typer.prompt", lambda _: "another name")
    refused = aico("tenants", "erase", name)
    assert refused.code == 2
    assert "nothing was erased" in refused.err
    assert left(database, tenant) == len(prompts)
    monkeypatch.setattr("typer.prompt", lambda _: name)
    outcome = aico("tenants", "erase", name)
    assert outcome.code == 0, outcome.err
    assert shown(outcome.out)["jobs"] == str(len(prompts))
    assert "SHA-256" in outcome.out
    assert left(database, tenant) == 0
    with psycopg.connect(postgres.admin_url) as admin:
        query = "select action, actor from audit_log where tenant_id = %s and action ~ '^erasure' order by at"
        rows: list[Any] = admin.execute(query, (tenant.id,)).fetchall()
    assert rows == [("erasure.requested", "operator"), ("erasure.completed", "operator")]


def test_with_yes_nobody_is_asked(
    aico: Aico, name: str, prompts: list[str], database: Database, tenant: Tenant
) -> None:
    assert aico("tenants", "erase", name, "--tag", "none", "--yes").code == 0
    assert left(database, tenant) == len(prompts)
    assert aico("tenants", "erase", name, "--yes").code == 0
    assert left(database, tenant) == 0


@pytest.mark.parametrize(
    "options",
    [("--tag", "a b"), ("--job", "x"), ("--before", "then"), ("--tag", "a", "--before", "2026-01-01T00:00:00Z")],
)
def test_a_choice_that_makes_no_sense_is_refused(
    aico: Aico, name: str, prompts: list[str], database: Database, tenant: Tenant, options: tuple[str, ...]
) -> None:
    outcome = aico("tenants", "erase", name, "--yes", *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert left(database, tenant) == len(prompts)


@pytest.mark.parametrize("command", ["retention", "export", "erase"])
def test_a_tenant_that_does_not_exist(aico: Aico, name: str, command: str) -> None:
    outcome = aico("tenants", command, "nobody at all")
    assert outcome.code == 1
    assert "there is no tenant named 'nobody at all'" in outcome.err
