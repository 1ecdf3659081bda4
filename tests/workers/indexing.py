"""A cache with many vectors, and the database's owner to look at it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import numpy as np
import psycopg
from conftest import Tenant
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from aico.core.cache_index import Scope
from aico.store.cache_indexes import index_name, indexer
from aico.workers.index_keeper import IndexKeeper

NAMESPACE, MODEL = b"namespace", "model"
LATER = "2100-01-01"
NEAREST = "select id, similarity from private.nearest_entries(%s, %s, %s, %s, 0.8, 8)"
LEAST = 2000

Vectors = NDArray[np.float32]
Connection = psycopg.Connection[tuple[object, ...]]


def clusters(count: int, seed: int = 1) -> Vectors:
    """L2-normalised, in clusters of ten whose members have cosines of about 0.9 with one another."""
    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((count // 10, 384)).repeat(10, axis=0)
    vectors = (centres + 0.3 * draw.standard_normal((count, 384))).astype(np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


@contextmanager
def administering(admin_url: str) -> Iterator[Connection]:
    """The caches of all tenants are empty afterwards."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("set search_path = public, extensions")
        register_vector(connection)
        yield connection
        connection.execute("truncate cache_entries, cache_vectors, cache_indexes cascade")
        with indexer(admin_url) as indexes:
            if indexes is not None:
                indexes.drop_orphans()


def fill(admin: Connection, tenant: Tenant, vectors: Vectors, namespace: bytes = NAMESPACE) -> list[UUID]:
    entries = [uuid4() for _ in vectors]
    into_entries = (
        "copy cache_entries (id, tenant_id, namespace, fingerprint, job_id, answer, routing, question, expires_at)"
        " from stdin"
    )
    into_vectors = "copy cache_vectors (tenant_id, namespace, model, entry_id, embedding, expires_at) from stdin"
    with admin.transaction(), admin.cursor() as cursor:
        with cursor.copy(into_entries) as copy:
            for entry in entries:
                copy.write_row((entry, tenant.id, namespace, entry.bytes, entry, "{}", "{}", "which?", LATER))
        with cursor.copy(into_vectors) as copy:
            for entry, vector in zip(entries, vectors, strict=True):
                copy.write_row((tenant.id, namespace, MODEL, entry, HalfVector(vector).to_text(), LATER))
    admin.execute("select private.add_up_cache_changes(1000)")  # as the sweeper does
    admin.execute("analyze cache_vectors")
    return entries


def step(keeper: IndexKeeper) -> dict[UUID, str | None]:
    """The state of each tenant's index."""
    kept = keeper.step(threading.Event())
    assert kept is not None
    return {one.standing.scope.tenant: one.standing.state for one in kept}


def indexes(admin: Connection, tenant: Tenant) -> list[object]:
    name = index_name(Scope(tenant.id, NAMESPACE, MODEL))
    return [
        valid
        for (valid,) in admin.execute(
            "select x.indisvalid from pg_index x join pg_class c on c.oid = x.indexrelid where c.relname = %s", (name,)
        )
    ]


class Searcher:
    """As the service does it, for one tenant, with the plans of all that its functions run."""

    def __init__(self, admin_url: str, *tenants: Tenant) -> None:
        self._connection = psycopg.connect(admin_url, autocommit=True)
        self._connection.execute("set search_path = public, extensions")
        register_vector(self._connection)
        self._connection.execute("load 'auto_explain'")
        for name, value in (
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_nested_statements", "on"),
            ("client_min_messages", "log"),
            ("role", "aico_service"),
            ("aico.tenants", ",".join(str(tenant.id) for tenant in tenants)),
        ):
            self._connection.execute("select set_config(%s, %s, false)", (name, value))
        self.plans: list[str] = []
        self._connection.add_notice_handler(lambda notice: self.plans.append(notice.message_primary or ""))

    def nearest(self, tenant: Tenant, vector: Vectors, namespace: bytes = NAMESPACE) -> list[UUID]:
        self.plans.clear()
        rows = self._connection.execute(NEAREST, (tenant.id, namespace, MODEL, HalfVector(vector)))
        return [row[0] for row in rows]

    def searched(self, index: str) -> bool:
        return any(f"Index Scan using {index} " in plan for plan in self.plans)

    def close(self) -> None:
        self._connection.close()
