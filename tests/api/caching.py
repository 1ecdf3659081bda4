"""A tenant whose answers are kept, and who looks at what is kept."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import psycopg
from api.conftest import Workers
from conftest import Tenant

from aico.store import cache, ledger
from aico.store.blocking import Database
from aico.store.scope import Scope

SYSTEM = "You answer for a library."


@dataclass(frozen=True)
class Cached:
    api: httpx2.Client
    workers: Workers
    database: Database
    admin: psycopg.Connection[Any]
    tenant: Tenant

    def keep(self, prompt: str, **fields: Any) -> str:
        """The job that paid for an answer to it."""
        job = str(self.api.post("/v1/jobs", json={"prompt": prompt, **fields}).raise_for_status().json()["id"])
        self.workers.end(self.tenant.id, UUID(job))
        return job

    def entries(self, **filters: Any) -> list[dict[str, Any]]:
        page = self.api.get("/v1/cache/entries", params=filters).raise_for_status().json()
        found: list[dict[str, Any]] = page["data"]
        return found

    def questions(self, **filters: Any) -> list[str | None]:
        return [one["question"] for one in self.entries(**filters)]

    def served(self, prompt: str, **fields: Any) -> bool:
        asked = self.api.post("/v1/jobs", json={"prompt": prompt, "cache": "exact", **fields}).raise_for_status()
        return bool(asked.json()["status"] == "completed")

    def forget(self, **which: Any) -> int:
        gone: int = self.api.delete("/v1/cache/entries", params=which).raise_for_status().json()["entries"]
        return gone

    def stats(self) -> dict[str, Any]:
        figures: dict[str, Any] = self.api.get("/v1/cache/stats").raise_for_status().json()
        return figures

    def book(self) -> None:
        """What the recorder and the sweeper do."""
        query = "select job_id from ledger_outbox where tenant_id = %s"
        jobs = [job for (job,) in self.admin.execute(query, (self.tenant.id,))]
        self.database.run(Scope.tenant(self.tenant.id), ledger.book([self.tenant.id], jobs))
        while self.database.run(Scope.system(), cache.add_up(1000)) == [1000]:
            pass

    def audited(self) -> list[tuple[str, str, str, Any]]:
        rows = self.admin.execute(
            "select actor, action, subject, detail from audit_log where tenant_id = %s and action ~ '^cache'"
            " order by at",
            (self.tenant.id,),
        )
        return [(actor, action, subject, detail) for actor, action, subject, detail in rows]

    def alter(self, table: str, change: str) -> None:
        query = f"update {table} set {change} where {'id' if table == 'tenants' else 'tenant_id'} = %s"  # noqa: S608
        self.admin.execute(query.encode(), (self.tenant.id,))
