"""What goes over the wire about API keys."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, SecretStr, WithJsonSchema

from aico.api.paging import Page
from aico.core.access import KEY_PERMISSIONS, Permission
from aico.core.inputs import ModelName, Moment, Turn
from aico.store.api_keys import ApiKey, KeyState

DAY_SECONDS = 24 * 3600
MAX_OVERLAP_SECONDS = 30 * DAY_SECONDS


def _ahead(moment: datetime) -> datetime:
    if moment <= datetime.now(UTC):
        raise ValueError("must be in the future")
    return moment


def _distinct(values: list[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


Name = Annotated[Turn, Field(min_length=1, max_length=200)]
Expiry = Annotated[Moment, AfterValidator(_ahead)]
Models = Annotated[
    list[ModelName],
    Field(min_length=1, max_length=200, description="Ids of `GET /v1/models`: no other model answers. Null: all may."),
    AfterValidator(_distinct),
]
Scopes = Annotated[
    list[Permission],
    Field(max_length=100, description=f"None: {', '.join(f'`{one}`' for one in sorted(KEY_PERMISSIONS))}."),
    AfterValidator(_distinct),
]
Actor = Annotated[str, Field(description="`key:<id>`, `user:<id>`, `operator`, or a part of the service.")]


def shown_once(description: str) -> Any:
    return (
        PlainSerializer(SecretStr.get_secret_value, return_type=str, when_used="json"),
        WithJsonSchema({"type": "string", "description": f"{description} It is shown this once."}),
    )


KeySecret = Annotated[SecretStr, *shown_once("What goes into the Authorization header.")]


class KeyRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "support bot"}]})

    name: Name
    scopes: Scopes = []
    expires_at: Expiry | None = None
    models: Models | None = None


class KeyChange(BaseModel):
    """What is left out stays as it is. Null takes the expiry or the limit to models away."""

    model_config = ConfigDict(extra="forbid")

    name: Name = ""
    expires_at: Expiry | None = None
    models: Models | None = None


class RotateKeyRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    overlap_seconds: Annotated[
        int, Field(ge=0, le=MAX_OVERLAP_SECONDS, description="For how long the old secret works beside the new one.")
    ] = DAY_SECONDS


class KeyView(BaseModel):
    """A key, by its first characters. The secret itself is stored nowhere."""

    id: UUID
    name: str
    prefix: str
    state: KeyState
    scopes: list[Permission]
    models: Annotated[list[str] | None, Field(description="Null: all.")]
    created_at: datetime
    created_by: Actor
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: Annotated[datetime | None, Field(description="Half a minute late at most.")]
    rotated_at: datetime | None
    old_secret_until: Annotated[datetime | None, Field(description="Until then the secret before works too.")]

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        return cls(**_key_fields(key))


class NewKeyView(KeyView):
    secret: KeySecret

    @classmethod
    def with_secret(cls, key: ApiKey, secret: SecretStr) -> Self:
        return cls(**_key_fields(key), secret=secret)


def _key_fields(key: ApiKey) -> dict[str, Any]:
    fields = {name: getattr(key, name) for name in KeyView.model_fields}
    models = None if key.models is None else sorted(key.models)
    return {**fields, "scopes": sorted(key.scopes or KEY_PERMISSIONS), "models": models}


class KeyPage(Page[KeyView]):
    pass
