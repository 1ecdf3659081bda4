"""How long a look-up into the cache takes tells nothing of what another tenant keeps: it reads as much either way.

As the superuser, whom no policy holds back: the statements themselves ask for one tenant.
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from builders import new_job, unit_vector
from conftest import Tenant
from isolation.actors import Logins
from isolation.conftest import Pair
from pgvector.psycopg import register_vector

from aico.store import cache, jobs
from aico.store.embeddings import ToEmbed
from aico.store.statement import Statement

THEIRS, NOBODYS = "What do they alone keep?", "What does nobody keep?"
READ = (
    "Shared Hit Blocks",
    "Shared Read Blocks",
    "Actual Rows",
    "Rows Removed by Filter",
    "Rows Removed by Join Filter",
)
VARIANT = "variant"  # of the embedding model
Connection = Any


@pytest.fixture
def kept(pair: Pair, logins: Logins) -> None:
    """An answer of the other tenant, with its vector, beside a hundred more."""
    job, tenant = new_job(THEIRS), pair.theirs
    for number in range(100):
        fingerprint = job.key.fingerprint if number == 0 else new_job(f"{number}").key.fingerprint
        entry = uuid4()
        logins.admin.execute(
            "insert into cache_entries (id, tenant_id, namespace, fingerprint, job_id, answer, routing, question,"
            " expires_at) values (%s, %s, %s, %s, %s, '{}', '{}', 'q', now() + interval '1 day')",
            (entry, tenant.id, job.key.namespace, fingerprint, uuid4()),
        )
        logins.admin.execute(
            "insert into cache_vectors (tenant_id, namespace, model, entry_id, embedding, expires_at)"
            " values (%s, %s, %s, %s, %s::extensions.halfvec, now() + interval '1 day')",
            (tenant.id, job.key.namespace, VARIANT, entry, str(unit_vector(number).tolist())),
        )


def read(connection: Connection, statement: Statement[Any], tables: set[str]) -> list[dict[str, Any]]:
    """What each step of the plan that concerns one of the tables has read; with nothing changed."""
    with connection.transaction(force_rollback=True):
        connection.execute("set local search_path = public, extensions")
        register_vector(connection)
        connection.execute("set local enable_seqscan = off")
        query = f"explain (analyze, buffers, timing off, format json) {statement.sql}"
        (row,) = connection.execute(query.encode(), statement.params).fetchall()
    (plan,) = next(iter(row.values()))
    return [
        {name: node.get(name) for name in ("Node Type", *READ)}
        for node in _nodes(plan["Plan"])
        if node.get("Relation Name") in tables or node.get("Function Name") in tables
    ]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


@pytest.mark.usefixtures("kept")
def test_an_exact_lookup_reads_as_much_whether_another_tenant_has_the_answer_or_not(logins: Logins, pair: Pair) -> None:
    with logins.admin.transaction(force_rollback=True):
        asked = [jobs.submit(pair.ours.id, [new_job(prompt)]) for prompt in (NOBODYS, THEIRS, NOBODYS, THEIRS)]
        _, _, nobodys, theirs = (read(logins.admin, one, {"cache_entries"}) for one in asked)  # once everything is warm
    assert theirs == nobodys != []


@pytest.mark.usefixtures("kept")
def test_a_search_by_meaning_reads_as_much_whether_another_tenant_has_something_near_or_not(
    logins: Logins, pair: Pair
) -> None:
    """In a namespace of the same hash, which two tenants with the same instructions have."""
    with logins.admin.transaction(force_rollback=True):
        asked = [near(pair.ours, unit_vector(seed)) for seed in (300, 50, 300, 50)]
        _, _, nobodys, theirs = (read(logins.admin, one, {"nearest_entries", "nearest_vectors"}) for one in asked)
    assert theirs == nobodys != []


def near(tenant: Tenant, vector: Any) -> Statement[cache.Near]:
    job = new_job(THEIRS)
    asked = ToEmbed(job.id, 0, job.key.namespace, job.cache_mode, job.job_class, THEIRS, None, 0.1)
    return cache.near(tenant.id, [asked], [vector], VARIANT, count=16)
