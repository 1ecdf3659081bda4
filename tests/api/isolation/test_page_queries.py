"""What the dashboard reads costs the same however much was booked: the ledger is not among it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from api.isolation.conftest import Sides

SOURCES = Path(__file__).parents[3] / "dashboard" / "src"
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


@contextmanager
def sealed_ledger(admin: "psycopg.Connection[Any]") -> Iterator[None]:
    admin.execute("revoke select on public.ledger_attempts from aico_service, authenticated")
    try:
        yield
    finally:
        admin.execute("grant select on public.ledger_attempts to aico_service, authenticated")


def filled(path: str, known: Mapping[str, Sequence[str]]) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: known[name[1]][0], path)


def test_no_page_reads_the_ledger(sides: Sides) -> None:
    side = sides.owner
    with sealed_ledger(sides.admin):
        found = {path: side.api.get(filled(path, side.known), params=NEEDED.get(path)).status_code for path in PATHS}
    assert len(found) > 30
    refused = {path: status for path, status in found.items() if status != 200}
    assert refused.pop(OF_ONE_JOB) == 500  # so the seal holds
    assert refused == NOT_SHOWN
