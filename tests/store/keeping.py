"""One tenant's cache as its statements see it, and as the owner of all tables does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg
from builders import completed, new_job

from aico.core.access import OPERATOR
from aico.core.jobs import CacheMode
from aico.store import cache, cache_entries, cache_namespaces, claims, jobs, ledger
from aico.store.blocking import Database
from aico.store.jobs import NewJob
from aico.store.scope import Scope

DAY = 86_400
SERVICE_TTL = 7 * DAY


@dataclass(frozen=True)
class Kept:
    """One tenant's cache, and the owner's view of it."""

    database: Database
    admin: psycopg.Connection[dict[str, Any]]
    tenant: UUID

    @property
    def scope(self) -> Scope:
        return Scope.tenant(self.tenant)

    def keep(self, *prompts: str, lifetime: float | None = None, text: str = "Paris.") -> list[NewJob]:
        """Answers to these, at the earliest a moment after those before."""
        new = [new_job(prompt, mode=CacheMode.EXACT) for prompt in prompts]
        for job in new:
            self.database.run(self.scope, jobs.submit(self.tenant, [job]))
            ending = replace(completed(job.id, 0, text=text), lifetime_seconds=lifetime)
            assert self.database.run(self.scope, claims.finish(self.tenant, [ending], SERVICE_TTL))
        return new

    def hit(self, prompt: str) -> NewJob:
        job = new_job(prompt, mode=CacheMode.EXACT)
        (stored,) = self.database.run(self.scope, jobs.submit(self.tenant, [job]))
        assert stored.answer is not None
        return job

    def book(self, hits: Sequence[NewJob]) -> None:
        self.database.run(self.scope, ledger.book([self.tenant], [job.id for job in hits]))

    def lifetimes(self) -> list[int]:
        rows = self.admin.execute(
            "select round(extract(epoch from expires_at - created_at)) as seconds from cache_entries"
            " where tenant_id = %s order by created_at",
            (self.tenant,),
        )
        return [int(row["seconds"]) for row in rows]

    def entries(self, **filters: Any) -> list[cache_entries.Entry]:
        return self.database.run(self.scope, cache_entries.page(self.tenant, limit=100, **filters))

    def jobs(self) -> set[UUID]:
        return {one.job for one in self.entries()}

    def namespace(self, prompt: str = "any") -> str:
        return new_job(prompt).key.namespace.hex()

    def size(self) -> tuple[int, int]:
        add_up(self.database)
        (size,) = self.database.run(self.scope, cache_entries.size(self.tenant))
        return size.entries, size.bytes

    def really(self) -> tuple[int, int]:
        row = self.admin.execute(
            "select count(*) as entries, coalesce(sum(bytes), 0) as bytes from cache_entries where tenant_id = %s",
            (self.tenant,),
        ).fetchone()
        assert row is not None
        return int(row["entries"]), int(row["bytes"])

    def set_ttl(self, seconds: int | None) -> None:
        change = cache_namespaces.set_ttl(self.tenant, self.namespace(), seconds, OPERATOR)
        assert self.database.run(self.scope, change) == [self.namespace()]

    def age(self, prompt: str, days: int) -> None:
        """As if it had been kept, and last served, so many days earlier."""
        key = new_job(prompt).key.fingerprint
        self.admin.execute(
            "update cache_entries set created_at = created_at - make_interval(days => %(days)s),"
            " hit_at = hit_at - make_interval(days => %(days)s) where tenant_id = %(t)s and fingerprint = %(key)s",
            {"days": days, "t": self.tenant, "key": key},
        )

    def evict(self, most: int = 2**31 - 1, most_bytes: int = 2**63 - 1) -> None:
        add_up(self.database)
        evict = cache.evict(most=most, most_bytes=most_bytes, limit=2)
        while self.database.run(Scope.system(), evict) != [0]:
            add_up(self.database)


def add_up(database: Database) -> None:
    while database.run(Scope.system(), cache.add_up(3)) == [3]:
        pass
