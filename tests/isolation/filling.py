"""A row of two tenants in every table. Whoever adds a table adds a statement to the list."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psycopg
from builders import ending_of, new_job, passed, unit_vector
from conftest import Tenant

from aico.core.jobs import CacheMode
from aico.store import claims, embeddings, jobs
from aico.store.blocking import Database
from aico.store.scope import Scope

Connection = psycopg.Connection[dict[str, Any]]

_ATTEMPT = (
    "(id, tenant_id, at, job_id, kind, outcome, provider, model, latency_ms)"
    " values (gen_random_uuid(), %(t)s, now(), %(j)s, 'call', 'ok', 'p', 'm', 1)"
)
_STATEMENTS = (
    "insert into auth.users (id) values (%(u)s)",
    "insert into members (tenant_id, user_id, role) values (%(t)s, %(u)s, 'owner')",
    "insert into files (tenant_id, id, filename, purpose, expires_at) values (%(t)s, %(f)s, 'a', 'batch', now())",
    "insert into file_chunks (tenant_id, file_id, position, data) values (%(t)s, %(f)s, 0, 'x')",
    (
        "insert into batches (id, tenant_id, status, endpoint, completion_window, deadline, output_ttl_seconds,"
        " input_file_id) values (%(b)s, %(t)s, 'in_progress', '/v1/x', '24h', now(), 1, %(f)s)"
    ),
    "insert into batch_faults (tenant_id, batch_id, line, custom_id, error) values (%(t)s, %(b)s, 1, 'c', '{}')",
    f"insert into ledger_outbox {_ATTEMPT}",
    f"insert into ledger_attempts {_ATTEMPT}",
    "insert into answer_samples values (%(t)s, gen_random_uuid(), now(), 'call', 'p', 'm', 1)",
    "insert into rollups values (%(t)s, 'day', now(), 'call', 'provider', 'model')",
    (
        "insert into metric_rollups (tenant_id, grain, dimension, bucket, name)"
        " values (%(t)s, 'day', 'tag', now(), 'team:a')"
    ),
    "insert into metric_ticks (tenant_id) values (%(t)s)",
    "insert into arm_rollups (tenant_id, arm, day) values (%(t)s, 'a', current_date)",
    "insert into experiments (id, tenant_id, name) values (%(x)s, %(t)s, 'x')",
    "insert into assignments (tenant_id, experiment_id, unit, arm, propensity) values (%(t)s, %(x)s, 'u', 'a', 1)",
    "insert into feedback (tenant_id, job_id, score, source) values (%(t)s, %(j)s, 1, 'user')",
    "insert into outcomes (tenant_id, job_id, model, quality) values (%(t)s, %(j)s, 'm', 1)",
    (
        "insert into decisions (tenant_id, job_id, task, strategy, policy_version, asked, first_choice, score,"
        " confidence, propensity, chances, expected, cents, design, features)"
        " values (%(t)s, %(j)s, 'chat', 's', 'v', 'auto', 'm', 0, 'low', 1, '{}', '{}', '{}', 'd', '')"
    ),
    "insert into cache_namespaces (tenant_id, namespace) values (%(t)s, 'n')",
    "insert into cache_indexes (tenant_id, namespace, model, name, rows) values (%(t)s, 'n', 'm', 'i', 1)",
    "insert into cache_sizes (tenant_id) values (%(t)s)",
    (
        "insert into cache_checks (tenant_id, job_id, namespace, entry_id, kind, chance, similarity, score,"
        " features, fingerprint) values (%(t)s, %(j)s, 'n', %(x)s, 'hit', 1, 1, 1, '{1}', 'f')"
    ),
    "insert into learners (tenant_id) values (%(t)s)",
    (
        "insert into learner_statistics (tenant_id, model, design, statistics, labels, clock, tasks)"
        " values (%(t)s, 'm', 'd', 's', 1, 0, '{}')"
    ),
    "insert into learner_solutions (tenant_id, version, design, solution, labels) values (%(t)s, 1, 'd', 's', 1)",
    "insert into outcome_rollups values (%(t)s, current_date, 'm', '', 'user')",
    "insert into pair_rollups values (%(t)s, current_date, 'a', 'b', '')",
    "insert into shadow_pairs (tenant_id, job_id, served) values (%(t)s, %(j)s, 'm')",
    "insert into judge_days values (%(t)s, current_date)",
    "insert into webhook_endpoints (id, tenant_id, url, secret) values (%(e)s, %(t)s, 'https://a.test', 'x')",
    "insert into webhook_deliveries (tenant_id, endpoint_id, event, payload) values (%(t)s, %(e)s, 'x', '{}')",
    "insert into tenant_shares (tenant_id, class) values (%(t)s, 'batch')",
    (
        "insert into idempotency_keys (tenant_id, key, request_hash, job_id, expires_at)"
        " values (%(t)s, 'k', sha256('x'), %(j)s, now())"
    ),
    (
        "insert into provider_batches (tenant_id, id, provider, model, status, lines, deadline)"
        " values (%(t)s, gen_random_uuid(), 'p', 'm', 'running', 1, now())"
    ),
    "insert into quotas (tenant_id, period, unit, quota) values (%(t)s, 'day', 'tokens', 1)",
    "insert into billing_accounts (tenant_id, stripe_customer_id) values (%(t)s, 'cus_' || %(t)s)",
    "insert into stripe_events (tenant_id, id, type) values (%(t)s, 'evt', 'x')",
    (
        "insert into usage_reports (tenant_id, day, unit, part, quantity, identifier)"
        " values (%(t)s, current_date, 'tokens', 0, 1, 'i')"
    ),
    (
        "insert into invitations (id, tenant_id, email, role, hash, created_by, expires_at)"
        " values (gen_random_uuid(), %(t)s, 'a@b', 'viewer', sha256(%(t)s::text::bytea), 'x', now())"
    ),
    "insert into retention (tenant_id, jobs_days) values (%(t)s, 1)",
    "insert into data_requests (tenant_id, id, kind, requested_by) values (%(t)s, %(f)s, 'export', 'x')",
    (
        "insert into provider_keys (id, tenant_id, provider, kek_id, wrapped_key, nonce, ciphertext, created_by)"
        " values (gen_random_uuid(), %(t)s, 'p', 'k', 'w', 'twelve bytes', 'c', 'operator')"
    ),
    (
        "insert into quota_windows (tenant_id, scope, period, unit, starts_at)"
        " values (%(t)s, 'tenant', 'day', 'tokens', now())"
    ),
    "insert into alerts (tenant_id, kind, occasion, detail) values (%(t)s, 'spend.anomaly', 'x', '{}')",
    "insert into ledger_corrections (tenant_id, at, attempt_id, run) values (%(t)s, now(), %(f)s, %(f)s)",
    "insert into audit_log (tenant_id, actor, action, subject) values (%(t)s, 'a', 'b', 'c')",
)


def filled_pair(database: Database, make_tenant: Callable[[], Tenant], admin: Connection) -> tuple[Tenant, Tenant]:
    """Two tenants, each with a row in every table."""
    pair = make_tenant(), make_tenant()
    for tenant in pair:
        scope = Scope.tenant(tenant.id)
        job = new_job("private", mode=CacheMode.SEMANTIC)
        database.run(scope, jobs.submit(tenant.id, [job]))
        found = database.run(scope, embeddings.to_embed(tenant.id, [job.id], 0.95))
        database.run(scope, embeddings.advance(tenant.id, passed(found, np.stack([unit_vector(1)])), "variant"))
        (held,) = database.run(scope, claims.claim(tenant.id, job.id, 30))
        database.run(scope, claims.finish(tenant.id, [ending_of(held)], 60))
        _fill_the_rest(admin, tenant.id, job.id)
    return pair


def _fill_the_rest(admin: Connection, tenant: UUID, job: UUID) -> None:
    user, experiment, endpoint, file, batch = (uuid4() for _ in range(5))
    for statement in _STATEMENTS:
        values = {"t": tenant, "j": job, "u": user, "x": experiment, "e": endpoint, "f": file, "b": batch}
        admin.execute(statement, values)
