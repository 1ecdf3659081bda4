"""What the dashboard reads costs the same however much was booked: the ledger is not among it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from api.conftest import serving
from api.embedding import embed_worker
from api.fuzzing import World, answering, every_fourth_fails, populated
from api.identity import new_member
from conftest import new_tenant

from aico.core.access import Permission
from aico.core.settings import Settings
from aico.store.blocking import Database

SOURCES = Path(__file__).parents[2] / "dashboard" / "src"
ASKED = re.compile(r'\.GET\(\s*"(/[^"]+)"')
PATHS = sorted({path for file in SOURCES.rglob("*.ts*") for path in ASKED.findall(file.read_text())})
OF_ONE_JOB = "/v1/jobs/{job_id}/attempts"  # by the index on jobs, as another test says
NOT_SHOWN = {
    "/v1/me": 401,  # a tenant's key is nobody
    "/v1/tenants": 401,
    "/v1/operator/overview": 403,
    "/v1/feedback/{job_id}": 404,  # nobody has said how good the answer was
}
NEEDED = {"/v1/metrics/breakdown": {"by": "model"}}
OWN_REDIS_DATABASE = "6"


@pytest.fixture(scope="module")
def world(
    base_settings: Settings,
    redis_url: str,
    database: Database,
    admin: psycopg.Connection[Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    url = type(base_settings.redis_url)(f"{redis_url.rpartition('/')[0]}/{OWN_REDIS_DATABASE}")
    own = base_settings.model_copy(update={"redis_url": url})
    tenant = new_tenant(database, tuple(Permission))
    with (
        embed_worker(own, tmp_path_factory.mktemp("embed")),
        answering(own, database, every_fourth_fails()),
        serving(own) as address,
    ):
        yield populated(address, tenant, new_member(admin, tenant.id))
    admin.execute("delete from public.jobs where tenant_id = %s", (tenant.id,))


@contextmanager
def sealed_ledger(admin: psycopg.Connection[Any]) -> Iterator[None]:
    admin.execute("revoke select on public.ledger_attempts from aico_service, authenticated")
    try:
        yield
    finally:
        admin.execute("grant select on public.ledger_attempts to aico_service, authenticated")


def filled(path: str, known: Mapping[str, Sequence[str]]) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: known[name[1]][0], path)


def test_no_page_reads_the_ledger(world: World, admin: psycopg.Connection[Any]) -> None:
    headers = {"Authorization": f"Bearer {world.tenant.key}"}
    with httpx2.Client(base_url=world.address, headers=headers, timeout=20) as api, sealed_ledger(admin):
        found = {path: api.get(filled(path, world.known), params=NEEDED.get(path)).status_code for path in PATHS}
    assert len(found) > 30
    refused = {path: status for path, status in found.items() if status != 200}
    assert refused.pop(OF_ONE_JOB) == 500  # so the seal holds
    assert refused == NOT_SHOWN
