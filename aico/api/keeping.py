"""How long what a tenant stores is kept."""

from aico.api.auth import Principal
from aico.api.services import Services
from aico.core.redaction import PiiPolicy
from aico.store import retention
from aico.store.retention import Retention
from aico.store.scope import Scope

_DAY_SECONDS = 24 * 3600


async def retention_of(held: Services, principal: Principal) -> Retention:
    found = await held.database.run(Scope.tenant(principal.tenant), retention.get(principal.tenant))
    return found[0] if found else Retention()


async def file_seconds(held: Services, principal: Principal) -> int:
    """Of a file whose owner did not say."""
    kept = await retention_of(held, principal)
    return (kept.files or held.settings.job_retention_days) * _DAY_SECONDS


def at_most(principal: Principal, seconds: int) -> int:
    """A file of requests holds what they say before personal data is replaced: with that policy it goes in a day."""
    return min(seconds, _DAY_SECONDS) if principal.pii is PiiPolicy.REDACT else seconds
