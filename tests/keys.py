"""Provider keys that tenants bring, as tests set them."""

import base64
from uuid import UUID

from pydantic import SecretStr

from aico.core.encryption_keys import parse_keys
from aico.core.envelope import LocalKeys
from aico.store import provider_keys
from aico.store.blocking import Database
from aico.store.provider_keys import ListedKey, sealed_key
from aico.store.scope import Scope

ENCRYPTION_KEYS = f"test:{base64.b64encode(b'k' * 32).decode()}"
KEYS = LocalKeys(parse_keys(ENCRYPTION_KEYS))


def bring(database: Database, tenant: UUID, provider: str, secret: str, keys: LocalKeys = KEYS) -> ListedKey:
    key = sealed_key(keys, tenant, provider, SecretStr(secret))
    (listed,) = database.run(Scope.tenant(tenant), provider_keys.put(key, None, "operator"))
    return listed
