"""What each role may do with each public table, as data. A table that is not named here fails the tests.

Whoever adds a table adds a line: what the service may do with the rows of the tenant that it names, which members may
read them directly, and which columns none of them may. Nobody else may do anything, and no member may write.
"""

from dataclasses import dataclass
from typing import Literal

from aico.core.access import ROLE_PERMISSIONS, Permission, Role

Action = Literal["select", "insert", "update", "delete"]
ACTIONS: tuple[Action, ...] = ("select", "insert", "update", "delete")

EVERYTHING = frozenset(ACTIONS)
APPEND_ONLY = frozenset[Action]({"select", "insert"})

EVERYBODY = frozenset(Role)
NOBODY = frozenset[Role]()


def holding(permission: Permission) -> frozenset[Role]:
    """As the API decides it."""
    return frozenset(role for role, permissions in ROLE_PERMISSIONS.items() if permission in permissions)


@dataclass(frozen=True)
class Table:
    service: frozenset[Action] = EVERYTHING
    readers: frozenset[Role] = EVERYBODY
    hidden: frozenset[str] = frozenset()  # columns that no reader sees


TABLES: dict[str, Table] = {
    "alerts": Table(),
    "answer_samples": Table(),
    "api_keys": Table(readers=holding(Permission.KEYS_WRITE), hidden=frozenset({"hash", "old_hash"})),
    "arm_rollups": Table(),
    "assignments": Table(),
    "audit_log": Table(service=APPEND_ONLY, readers=holding(Permission.AUDIT_READ)),
    "batch_faults": Table(),
    "batches": Table(),
    "billing_accounts": Table(readers=NOBODY),
    "cache_checks": Table(),
    "cache_entries": Table(),
    "cache_indexes": Table(service=frozenset({"select"})),
    "cache_namespaces": Table(),
    "cache_sizes": Table(),
    "cache_vectors": Table(),
    "data_requests": Table(readers=NOBODY),
    "decisions": Table(),
    "experiments": Table(),
    "feedback": Table(),
    "file_chunks": Table(),
    "files": Table(),
    "idempotency_keys": Table(),
    "invitations": Table(readers=NOBODY),
    "jobs": Table(),
    "judge_days": Table(),
    "learner_solutions": Table(),
    "learner_statistics": Table(),
    "learners": Table(),
    "ledger_attempts": Table(service=APPEND_ONLY),
    "ledger_corrections": Table(service=frozenset({"select"})),
    "ledger_outbox": Table(readers=NOBODY),
    "members": Table(),
    "metric_rollups": Table(),
    "metric_ticks": Table(),
    "outcome_rollups": Table(),
    "outcomes": Table(),
    "pair_rollups": Table(),
    "provider_batches": Table(),
    "provider_keys": Table(hidden=frozenset({"wrapped_key", "nonce", "ciphertext"})),
    "quota_windows": Table(),
    "quotas": Table(),
    "retention": Table(readers=NOBODY),
    "rollups": Table(),
    "shadow_pairs": Table(readers=NOBODY),
    "stripe_events": Table(readers=NOBODY),
    "tenant_shares": Table(),
    "tenants": Table(),
    "usage_reports": Table(readers=NOBODY),
    "webhook_deliveries": Table(readers=holding(Permission.WEBHOOKS_WRITE)),
    "webhook_endpoints": Table(readers=holding(Permission.WEBHOOKS_WRITE), hidden=frozenset({"secret", "old_secrets"})),
}

# Unique keys that do not begin with the tenant: whoever makes a row learns from a conflict that another has the value.
GLOBAL_KEYS = {
    "tenants_pkey": "the tenant itself",
    "tenants_name_key": "names are given by the operator",
    "cache_vectors_pkey": "the tenant is in it too; entries have random ids, never chosen by a caller",
    "api_keys_pkey": "made by the service, never chosen by a caller",
    "api_keys_hash_key": "a hash of 32 random bytes, never chosen by a caller",
    "api_keys_old_hash_key": "likewise",
    "invitations_hash_key": "a hash of 32 random bytes, never chosen by a caller",
    "tenants_personal": "the user, of whose own tenants one is personal",
    "billing_accounts_stripe_customer_id_key": "made by Stripe, never chosen by a caller",
}

# Functions that act with their owner's rights, who sees all tenants, and what they reveal to the service, which alone
# may call them.
DEFINER_FUNCTIONS = {
    "accept_invitation": "the tenant that the token and the address were invited to",
    "accounts_to_meter": "ids of tenants, for the sweeper to look at one by one",
    "accounts_to_sync": "ids of tenants, for the sweeper to look at one by one",
    "add_metrics": "nothing: sums of tenants that the service acts for are added up",
    "add_totals": "nothing: sums are added up",
    "add_up_cache_changes": "a count of what was added up",
    "admit": "ids of jobs, for the feeder to ring",
    "all_token_sums": "sums of all tenants together, never whose",
    "all_tenants": "names of all tenants, for the operator's command line",
    "all_totals": "sums of all tenants together, never whose",
    "anyone_waits": "whether any job waits",
    "authenticate_key": "the tenant of the key whose hash is given",
    "billing_customer": "the tenant of the customer that a signed event of Stripe names",
    "billing_states": "counts of all tenants together",
    "cache_standing": "sums of all tenants together, never whose",
    "count_stale_provider_keys": "a count of all tenants together",
    "dead_jobs": "a count of all tenants together",
    "due_batches": "ids, for the sweeper to ring",
    "due_data_requests": "ids, for the sweeper to ring",
    "due_deliveries": "ids, for the sweeper to ring",
    "due_jobs": "ids, for the sweeper to ring",
    "due_namespaces": "ids, for the sweeper to ring",
    "due_pairs": "ids, for the sweeper to ring",
    "due_lanes": "ids, for the sweeper to ring",
    "due_learners": "ids of tenants, for the sweeper to ring",
    "end_overdue_jobs": "ids and states, for the sweeper to ring",
    "end_waiting": "how many, for the feeder",
    "ensure_ledger_partitions": "nothing: partitions are made",
    "evict_answers": "a count of what was deleted",
    "erase_ledger_after": "a count of attempts of a tenant that the service acts for, and its place among them",
    "erase_ledger_of": "a count of attempts of a tenant that the service acts for",
    "erase_realtime": "a count of messages of a tenant that the service acts for",
    "hourly_spends": "what tenants spent each hour, for the sweeper to find what is unusual",
    "hand_over_stranded": "ids, for the sweeper to ring",
    "hold_of_service": "whether a day's budget of all tenants together has room",
    "in_flight": "a count of one tenant's jobs",
    "late_events": "ids, for the sweeper to ring",
    "learn_tokens": "nothing: sums are added up",
    "lost_bells": "ids, for the sweeper to ring",
    "make_tenant": "whether the signed-in user may have another tenant",
    "member_emails": "addresses of members of a tenant that the service acts for",
    "my_tenants": "the tenants of the signed-in user",
    "note_cache_change": "nothing: a trigger",
    "observe_repeats": "a count of answers after which somebody asked again",
    "open_places": "how many jobs of one tenant may start at once",
    "purge_batches": "a count of what was deleted",
    "purge_deliveries": "a count of what was deleted",
    "purge_expired_answers": "a count of what was deleted",
    "purge_files": "a count of what was deleted",
    "purge_jobs": "a count of what was deleted",
    "purge_lanes": "a count of what was deleted",
    "purge_ledger_bodies": "a count of what was stripped",
    "purge_metrics": "a count of what was deleted",
    "purge_quotas": "a count of what was deleted",
    "purge_stripe_events": "a count of what was deleted",
    "queue_stats": "counts of all tenants together",
    "recall_from_lanes": "a count",
    "reprice": "a count of attempts of a tenant that the service acts for",
    "running_experiments": "ids, for the sweeper to look at one by one",
    "resize_pools": "nothing: the pools are sized",
    "strip_orphan": "nothing: a trigger",
    "settle_of_service": "nothing: sums are added up",
    "session_lives": "whether a user is still signed in",
    "stale_provider_keys": "ids of tenants and keys, for the operator's rotation",
    "take_on_checks": "a count of the checks that were looked at",
    "tell_metrics": "a count, and when to come again; to each tenant its own figures, by Realtime",
    "tenant_by_name": "the tenant of the name that the operator gives",
    "under_way": "a count of all tenants together",
    "users_called": "ids and addresses of users, for the operator's command line",
}

# What users may call. Everything else in these schemas is the service's.
USERS_FUNCTIONS = {"my_tenants", "programme_of", "get_user_cache_stats", "match_cache_entries"}
