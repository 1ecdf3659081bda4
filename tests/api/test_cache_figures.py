"""What is told of a namespace's error is what its judged samples say."""

from dataclasses import dataclass
from math import comb
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
import redis
from api.caching import Cached
from api.conftest import Workers
from conftest import Tenant, new_tenant
from psycopg.types.json import Jsonb

from aico.core.access import Permission
from aico.core.settings import Settings
from aico.store.blocking import Database
from aico.workers import cache_calibration
from aico.workers.runtime import Runtime

SAMPLES = 1000
TARGET = 0.02
UNLUCKY = 3  # the one that was wrong though it scored well

_CHECKS = """
insert into public.cache_checks (tenant_id, job_id, namespace, entry_id, kind, chance, similarity, score, features,
  fingerprint, status, verdict, judged_at)
select %(tenant)s, c.job, n.namespace, gen_random_uuid(), 'near', 1, 0.9, c.score, c.features, 'f', 'judged', c.right,
  now() + make_interval(secs => c.place)
from public.cache_namespaces n, jsonb_to_recordset(%(samples)s) as c (job uuid, place integer, score double precision,
  features double precision[], "right" boolean)
where n.tenant_id = %(tenant)s
"""


@dataclass(frozen=True)
class Sample:
    job: UUID
    place: int

    @property
    def score(self) -> float:
        return -3 + 9 * (self.place * 37 % SAMPLES) / SAMPLES

    @property
    def right(self) -> bool:
        return self.score > 0 and self.place != UNLUCKY

    @property
    def features(self) -> list[float]:
        return [1.0, self.score, 0.5, 1.0, 0.0]

    def row(self) -> dict[str, Any]:
        return {"job": str(self.job), **{name: getattr(self, name) for name in ("place", "score", "features", "right")}}


@pytest.fixture
def tenant(database: Database) -> Tenant:
    """Whose key may do everything."""
    return new_tenant(database, tuple(Permission))


@pytest.fixture
def cached(
    api: httpx2.Client, workers: Workers, database: Database, admin: psycopg.Connection[Any], tenant: Tenant
) -> Cached:
    return Cached(api, workers, database, admin, tenant)


def judge(admin: psycopg.Connection[Any], tenant: Tenant, samples: list[Sample]) -> None:
    """As if that many decisions had been judged, without the jobs that they were about."""
    with admin.transaction():
        admin.execute("set local session_replication_role = replica")  # no foreign keys
        admin.execute(_CHECKS, {"tenant": tenant.id, "samples": Jsonb([one.row() for one in samples])})
        admin.execute("update cache_namespaces set verdicts = %s where tenant_id = %s", (len(samples), tenant.id))


def test_a_calibrated_namespace_is_shown_as_its_samples_say(
    cached: Cached,
    api: httpx2.Client,
    admin: psycopg.Connection[Any],
    tenant: Tenant,
    base_settings: Settings,
    database: Database,
    broker: redis.Redis,
) -> None:
    cached.keep("one")
    api.patch("/v1/tenant", json={"max_error_rate": TARGET}).raise_for_status()
    samples = [Sample(uuid4(), place) for place in range(SAMPLES)]
    judge(admin, tenant, samples)
    cache_calibration.work_on(Runtime(base_settings, database, broker), tenant.id, samples[0].job)
    stats = cached.stats()
    (one,) = stats["namespaces"]
    assert (one["state"], one["judged"], one["target"], stats["target"]) == ("serving", SAMPLES, TARGET, TARGET)
    assert stats["states"] == {"serving": 1}
    assert api.get("/v1/cache/namespaces").json()["data"] == [one]
    found = admin.execute("select weights from cache_namespaces where tenant_id = %s", (tenant.id,)).fetchone()
    assert found is not None
    scored = {
        sample.place: sum(a * b for a, b in zip(sample.features, found[0], strict=True)) >= one["cut"] - 1e-9
        for sample in samples
    }
    above = [sample for sample in samples if scored[sample.place]]
    assert (one["above"], one["wrong"]) == (len(above), sum(not sample.right for sample in above))
    assert one["wrong"] / one["above"] < one["bound"] < TARGET
    as_few = sum(
        comb(one["above"], wrong) * one["bound"] ** wrong * (1 - one["bound"]) ** (one["above"] - wrong)
        for wrong in range(one["wrong"] + 1)
    )
    assert as_few == pytest.approx(1 - base_settings.cache_confidence, rel=1e-6)
