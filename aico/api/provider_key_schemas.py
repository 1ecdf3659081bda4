"""What goes over the wire about the provider keys that tenants bring. A key goes in, and never comes out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, WithJsonSchema

from aico.core.provider_secrets import LONGEST, SHORTEST, provider_secret
from aico.store.provider_keys import ListedKey


def _fitting(value: SecretStr) -> SecretStr:
    return provider_secret(value.get_secret_value())


ApiKey = Annotated[
    SecretStr,
    AfterValidator(_fitting),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": SHORTEST,
            "maxLength": LONGEST,
            "pattern": "^[!-~]+$",
            "writeOnly": True,
            "description": "As the provider issued it: printable ASCII without white space.",
        }
    ),
]


class ProviderKeyRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    api_key: ApiKey


class ProviderKeyView(BaseModel):
    """A key that is kept, without the key."""

    id: UUID
    provider: str
    hint: Annotated[str | None, Field(description="The key's last four characters, where it has 20 or more.")]
    encryption_key_id: Annotated[str, Field(description="The key-encryption key that wraps its data key.")]
    created_at: datetime
    created_by: Annotated[str, Field(description="`key:…`, `user:…` or `operator`.")]

    @classmethod
    def of(cls, key: ListedKey) -> "ProviderKeyView":
        return cls(
            id=key.id,
            provider=key.provider,
            hint=key.hint,
            encryption_key_id=key.kek_id,
            created_at=key.created_at,
            created_by=key.created_by,
        )


class ProviderKeyList(BaseModel):
    data: list[ProviderKeyView]
