"""What the statements of a hit read does not grow with what the tenant keeps, before statistics know anything of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import completed, new_job, unit_vector
from conftest import Postgres, Tenant
from pgvector.psycopg import register_vector

from aico.core.ids import new_id
from aico.store import cache, claims, jobs
from aico.store.embeddings import ToEmbed
from aico.store.jobs import NewJob
from aico.store.statement import Statement

ENTRIES, JOBS, NEAR = 600, 8, 16
VARIANT = "variant"  # of the embedding model
Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(postgres: Postgres, tenant: Tenant) -> Iterator[Connection]:
    """Of one who may do anything, in a transaction that is undone, in which nothing is known of the cache's tables."""
    with psycopg.connect(postgres.admin_url) as opened:
        opened.execute("set local search_path = public, extensions")
        register_vector(opened)
        keep(opened, tenant.id)
        for table in ("cache_entries", "cache_vectors", "cache_checks"):
            opened.execute("delete from pg_statistic where starelid = %s::regclass", (f"public.{table}",))
            opened.execute(
                "update pg_class set reltuples = -1, relpages = 0 where oid = %s::regclass", (f"public.{table}",)
            )
        yield opened
        opened.rollback()


def keep(connection: Connection, tenant: UUID) -> None:
    namespace = new_job("x").key.namespace
    for number in range(ENTRIES):
        entry = new_id()
        connection.execute(
            "insert into cache_entries (id, tenant_id, namespace, fingerprint, job_id, answer, routing, question,"
            " expires_at) values (%s, %s, %s, %s, %s, '{}', '{}', 'q', now() + interval '1 day')",
            (entry, tenant, namespace, new_job(f"{number}").key.fingerprint, new_id()),
        )
        connection.execute(
            "insert into cache_vectors (tenant_id, namespace, model, entry_id, embedding, expires_at)"
            " values (%s, %s, %s, %s, %s::halfvec, now() + interval '1 day')",
            (tenant, namespace, VARIANT, entry, str(unit_vector(number).tolist())),
        )


def submit(connection: Connection, tenant: UUID, new: Sequence[NewJob]) -> None:
    statement = jobs.submit(tenant, new)
    connection.execute(statement.sql.encode(), statement.params)


def entries_read(connection: Connection, statement: Statement[Any]) -> int:
    """How many rows of the entries a statement reads."""
    count = (
        "select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)"
        " from pg_stat_xact_user_tables where relid = 'public.cache_entries'::regclass"
    )

    def so_far() -> int:
        found = connection.execute(count).fetchone()
        return int(found[0]) if found else 0

    before = so_far()
    connection.execute(statement.sql.encode(), statement.params)
    return so_far() - before


def test_a_search_reads_the_entries_that_it_finds(connection: Connection, tenant: Tenant) -> None:
    asked = [
        ToEmbed(job.id, 0, job.key.namespace, job.cache_mode, job.job_class, "q", None, 0.0)
        for job in (new_job(f"asked {number}") for number in range(JOBS))
    ]
    vectors = [unit_vector(number) for number in range(JOBS)]
    found = entries_read(connection, cache.near(tenant.id, asked, vectors, VARIANT, count=NEAR))
    assert 0 < found <= JOBS * NEAR


def test_a_refuted_answer_is_read_by_itself(connection: Connection, tenant: Tenant) -> None:
    job, judged = new_job("asked"), new_job("asked before")
    submit(connection, tenant.id, [job, judged])
    connection.execute(
        "insert into cache_checks (tenant_id, job_id, namespace, entry_id, kind, sampled, chance, similarity,"
        " fingerprint, status, verdict, source, judged_at, step_at, answered_by)"
        " select tenant_id, %s, namespace, id, 'hit', false, 1, 0.9, %s, 'judged', false, 'judge', now(), null, job_id"
        " from cache_entries where tenant_id = %s limit 1",
        (judged.id, job.key.fingerprint, tenant.id),
    )
    asked = ToEmbed(job.id, 0, job.key.namespace, job.cache_mode, job.job_class, "q", None, 0.0)
    found = entries_read(connection, cache.near(tenant.id, [asked], [unit_vector(0)], VARIANT, count=NEAR))
    assert 0 < found <= NEAR + 1


def test_hits_that_end_together_read_what_each_is_served(connection: Connection, tenant: Tenant) -> None:
    new = [new_job(f"asked {number}") for number in range(JOBS)]
    submit(connection, tenant.id, new)
    served = connection.execute(
        "select id from cache_entries where tenant_id = %s limit %s", (tenant.id, JOBS)
    ).fetchall()
    endings = [
        replace(completed(job.id, 0, keep=False), entry=entry) for job, (entry,) in zip(new, served, strict=True)
    ]
    found = entries_read(connection, claims.finish(tenant.id, endings, 60))
    told = "select count(*) from jobs where tenant_id = %s and served_from is not null"
    assert connection.execute(told, (tenant.id,)).fetchone() == (JOBS,)
    assert 0 < found <= 3 * JOBS
