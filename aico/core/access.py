"""Who may do what: the roles of members, the scopes of API keys, and the permissions that both stand for."""

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    """One right in one tenant. An API key's scopes are written the same way."""

    PROMPTS_READ = "prompts:read"  # jobs and their answers, files, batches
    PROMPTS_WRITE = "prompts:write"  # submit, upload, cancel, replay, give feedback
    USAGE_READ = "usage:read"  # costs, savings, quotas and what is left of them
    WEBHOOKS_WRITE = "webhooks:write"
    KEYS_WRITE = "keys:write"
    MEMBERS_WRITE = "members:write"
    SETTINGS_WRITE = "settings:write"  # policy, quotas, the tenant's own provider keys
    AUDIT_READ = "audit:read"
    DATA_WRITE = "data:write"  # take everything out, and erase it
    BILLING_WRITE = "billing:write"


class Role(StrEnum):
    """Of a member in a tenant, from the most rights to the fewest."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


_VIEWER = frozenset({Permission.PROMPTS_READ, Permission.USAGE_READ})
_MEMBER = _VIEWER | {Permission.PROMPTS_WRITE, Permission.WEBHOOKS_WRITE}
_OWNER = frozenset(Permission)

ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _OWNER - {Permission.BILLING_WRITE, Permission.DATA_WRITE},
    Role.MEMBER: _MEMBER,
    Role.VIEWER: _VIEWER,
}

# What administers a tenant. A user must still be signed in for it, not merely hold a token that has not expired.
ADMINISTRATION = _OWNER - _MEMBER

# Of a key that was made without scopes: what a program needs, and nothing that administers the tenant.
KEY_PERMISSIONS = _MEMBER

OPERATOR = "operator"  # the actor, in the audit log, of what the command line does
OPERATOR_CLAIM = "aico_operator"  # in a user's `app_metadata`: true for who may see the whole installation


def grantable(permissions: frozenset[Permission]) -> tuple[Role, ...]:
    """The roles that whoever has these may give and take: those that add nothing to them."""
    return tuple(role for role in Role if ROLE_PERMISSIONS[role] <= permissions)


def invitable(permissions: frozenset[Permission]) -> tuple[Role, ...]:
    """The roles to which whoever has these may invite."""
    return grantable(permissions) if Permission.MEMBERS_WRITE in permissions else ()
