"""A tenant whose cache is judged: verdicts as a judge or callers left them, and what a worker makes of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import new_job
from conftest import Postgres, Tenant
from psycopg.rows import dict_row

from aico.core.ids import new_id
from aico.store import jobs
from aico.store.scope import Scope
from aico.workers import cache_calibration
from aico.workers.runtime import Runtime

NAMESPACE = new_job("any").key.namespace
HOUR_AGO = timedelta(hours=1)
_CHECK = (
    "insert into cache_checks (tenant_id, job_id, namespace, entry_id, kind, chance, similarity, score, features,"
    " fingerprint, status, verdict, source, sampled, judged_at, step_at)"
    " values (%s, %s, %s, %s, %s, %s, 0.9, %s, %s, 'f', 'judged', %s, %s, %s, %s, null)"
)
_GROWN = (
    "insert into cache_namespaces as n (tenant_id, namespace, verdicts) values (%s, %s, %s)"
    " on conflict on constraint cache_namespaces_pkey do update set verdicts = n.verdicts + excluded.verdicts"
)


@dataclass
class Judged:
    runtime: Runtime
    admin: psycopg.Connection[dict[str, Any]]
    tenant: Tenant
    namespace: bytes = NAMESPACE
    at: datetime = field(default_factory=lambda: datetime.now(UTC) - HOUR_AGO)

    def judge(self, *verdicts: bool, kind: str = "hit", pair: float = 4.0, sampled: bool = True) -> UUID:
        """Verdicts a second after each other, on jobs of their own; the last of these."""
        asked = [new_job(f"question {new_id()}") for _ in verdicts]
        self.run(jobs.submit(self.tenant.id, asked))
        rows = []
        for job, right in zip(asked, verdicts, strict=True):
            self.at += timedelta(seconds=1)
            seen = ([1.0, pair, 0.0, 0.0, 0.0], pair) if sampled else (None, None)
            source = "judge" if sampled else "user"
            about = (self.tenant.id, job.id, self.namespace, new_id(), kind, 1.0, seen[1], seen[0])
            rows.append((*about, right, source, sampled, self.at))
        with self.admin.cursor() as cursor:
            cursor.executemany(_CHECK, rows)
        if kind != "exact":
            self.admin.execute(_GROWN, (self.tenant.id, self.namespace, len(verdicts)))
        return asked[-1].id

    def calibrate(self, job: UUID) -> dict[str, Any]:
        """A visit of a worker, and what is known after it."""
        cache_calibration.work_on(self.runtime, self.tenant.id, job)
        return self.known()

    def known(self) -> dict[str, Any]:
        query = "select * from cache_namespaces where tenant_id = %s and namespace = %s"
        (row,) = self.admin.execute(query, (self.tenant.id, self.namespace)).fetchall()
        return row

    def alter(self, table: str, change: str) -> None:
        column = "id" if table == "tenants" else "tenant_id"
        self.admin.execute(f"update {table} set {change} where {column} = %s".encode(), (self.tenant.id,))  # noqa: S608

    def run(self, statement: Any) -> list[Any]:
        return self.runtime.database.run(Scope.tenant(self.tenant.id), statement)

    def another(self, tenant: Tenant) -> "Judged":
        return replace(self, tenant=tenant)


Open = Callable[..., Judged]


@pytest.fixture
def judged(runtime: Runtime, postgres: Postgres, tenant: Tenant) -> Iterator[Judged]:
    """Of a service with a judge that allows 1 % of wrong hits, with a confidence of 90 %."""
    runtime = replace(runtime, settings=runtime.settings.model_copy(update={"judge_model": "judge"}))
    with psycopg.connect(postgres.admin_url, autocommit=True, row_factory=dict_row) as admin:
        yield Judged(runtime, admin, tenant)
