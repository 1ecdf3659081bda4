"""What the processes that remember credentials are told to forget.

A message on the channel names whom it is about: `key:<id>`, `user:<id>` or `tenant:<id>`.
"""

from uuid import UUID

CHANNEL = "aico:credentials"


def of_key(key: UUID) -> str:
    """The key was revoked, or changed, or has another secret."""
    return f"key:{key}"


def of_user(user: UUID) -> str:
    """The user has another role somewhere, or has left."""
    return f"user:{user}"


def of_tenant(tenant: UUID) -> str:
    """What requests have to know of the tenant has changed."""
    return f"tenant:{tenant}"
