"""The lints that Supabase shows its users, asked through its own command line."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import Postgres, unavailable
from isolation.conftest import scratch

_CLI = Path(__file__).parents[2] / ".venv/third-party/node/node_modules/@supabase/cli-linux-x64/bin/supabase"
_SECONDS = 60

# Faults, each planted alone, and the lint that must find it.
FAULTS = {
    "rls_disabled_in_public": "create table public.loose (id int primary key)",
    "rls_references_user_metadata": (
        "create policy forged on public.tenants for update to authenticated"
        " using (name = (select auth.jwt() -> 'user_metadata' ->> 'name'))"
    ),
    "multiple_permissive_policies": (
        "create policy second on public.jobs for select to authenticated using (status = 'queued')"
    ),
    "rls_policy_always_true": "create policy open on public.quotas for delete to authenticated using (true)",
    "security_definer_view": "create view public.everything as select * from public.jobs",
    "function_search_path_mutable": "create function public.loose() returns int language sql as 'select 1'",
}


@pytest.fixture(scope="module")
def cli() -> Path:
    if not _CLI.is_file():
        unavailable("the Supabase CLI is not installed: it takes Linux, npm and `make test`")
    return _CLI


def advice(cli: Path, address: str, home: Path) -> tuple[int, list[dict[str, Any]]]:
    """The exit status, which is 1 from the level of a warning on, and what was found."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "SUPABASE_TELEMETRY_DISABLED": "1",
        "DO_NOT_TRACK": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",  # nothing leaves the machine
    }
    flags = ("--level", "info", "--fail-on", "warn", "--output-format", "json", "--agent", "no")
    done = subprocess.run(
        [str(cli), "db", "advisors", f"--remote={address}?sslmode=disable", *flags],
        env=environment,
        cwd=home,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.stdout, done.stderr.decode()
    return done.returncode, json.loads(done.stdout.splitlines()[0])["results"]


@pytest.mark.parametrize("hosted", [False, True], ids=["plain", "hosted"])
def test_supabases_lints_find_nothing(
    cli: Path, postgres: Postgres, hosted_url: str, hosted: bool, tmp_path: Path
) -> None:
    status, found = advice(cli, hosted_url if hosted else postgres.admin_url, tmp_path)
    assert [one for one in found if one["level"] != "INFO"] == []
    assert status == 0
    # Which indexes are unused, the tests' traffic cannot say. Tables in `private` are closed to everybody by having no
    # policy: only functions with their owner's rights reach them.
    closed = [one["metadata"]["schema"] for one in found if one["name"] == "rls_enabled_no_policy"]
    assert set(closed) == {"private"}
    assert {one["name"] for one in found} <= {"unused_index", "rls_enabled_no_policy"}


@pytest.mark.parametrize(("lint", "fault"), FAULTS.items(), ids=FAULTS)
def test_a_planted_fault_is_found(cli: Path, postgres: Postgres, lint: str, fault: str, tmp_path: Path) -> None:
    with scratch(postgres, "with_a_fault", hosted=True) as address:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("set role aico_owner")
            connection.execute(fault.encode())
        status, found = advice(cli, address, tmp_path)
    assert status != 0
    assert lint in {one["name"] for one in found}
