"""A cache with many vectors, and the database's owner to look at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import numpy as np
import psycopg
from conftest import Tenant
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from aico.store.cache_indexes import indexer

NAMESPACE, MODEL = b"namespace", "model"
LATER = "2100-01-01"

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
    admin.execute("analyze cache_vectors")
    return entries
