"""What goes over the wire about webhooks."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, SecretStr, WithJsonSchema

from aico.core.inputs import Text
from aico.store.webhooks import EVENTS, DeliveryStatus, Endpoint, LoggedDelivery

DAY_SECONDS = 24 * 3600
MAX_OVERLAP_SECONDS = 30 * DAY_SECONDS


def _known(event: str) -> str:
    if event not in EVENTS:
        raise ValueError(f"there is no event {event!r}; there are {', '.join(EVENTS)}")
    return event


def _distinct(events: list[str]) -> list[str]:
    return list(dict.fromkeys(events))


Url = Annotated[Text, Field(min_length=1, max_length=2000, description="`https://…`, at a public address.")]
Description = Annotated[Text, Field(max_length=200)]
Event = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(EVENTS)})]
Events = Annotated[
    list[Event],
    Field(max_length=100, description=f"Of {', '.join(f'`{name}`' for name in EVENTS)}. None: all of them."),
    AfterValidator(_distinct),  # after the limit, which is on what is sent
]
Secret = Annotated[
    SecretStr,
    PlainSerializer(SecretStr.get_secret_value, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "description": "Signs what is sent, after Standard Webhooks. It is shown this once."}
    ),
]


class WebhookRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"url": "https://hooks.example.com/aico", "events": ["job.failed"]}]},
    )

    url: Url
    events: Events = []
    description: Description = ""


class WebhookChange(BaseModel):
    """What is left out, or null, stays as it is."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    enabled: bool | None = None


class RotateRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    overlap_seconds: Annotated[
        int, Field(ge=0, le=MAX_OVERLAP_SECONDS, description="For how long the old secret signs beside the new one.")
    ] = DAY_SECONDS


class WebhookView(BaseModel):
    """An endpoint. A disabled one says since when, and why."""

    id: UUID
    url: str
    description: str
    events: list[str]
    enabled: bool
    created_at: datetime
    disabled_at: datetime | None = None
    disabled_reason: str | None = None

    @classmethod
    def of(cls, endpoint: Endpoint) -> "WebhookView":
        return cls.model_validate(endpoint, from_attributes=True)


class NewWebhookView(WebhookView):
    secret: Secret


class WebhookList(BaseModel):
    data: list[WebhookView]


class RotatedView(BaseModel):
    id: UUID
    secret: Secret
    overlap_seconds: int


class DeliveryView(BaseModel):
    """An event on its way to an endpoint: `id` is the `webhook-id` that the receiver sees, in each attempt the same.

    `http_status`, `error` and `duration_ms` are the latest attempt's.
    """

    id: UUID
    event: str
    job_id: UUID | None = None
    status: DeliveryStatus
    attempts: Annotated[int, Field(description="Those begun, before a redelivery too.")]
    http_status: int | None = None
    error: str | None = None
    duration_ms: int | None = None
    created_at: datetime
    next_attempt_at: datetime | None = None

    @classmethod
    def of(cls, delivery: LoggedDelivery) -> "DeliveryView":
        return cls(**_delivery_fields(delivery))


class AttemptView(BaseModel):
    """Of an answer nothing is kept but its status."""

    number: int
    at: datetime
    http_status: int | None = None
    error: str | None = None
    duration_ms: int


class DeliveryDetail(DeliveryView):
    payload: dict[str, Any]
    log: Annotated[list[AttemptView], Field(description="The latest attempts, oldest first.")]

    @classmethod
    def of(cls, delivery: LoggedDelivery) -> "DeliveryDetail":
        log = [AttemptView.model_validate(attempt) for attempt in delivery.log]
        return cls(**_delivery_fields(delivery), payload=delivery.payload, log=log)


class DeliveryPage(BaseModel):
    data: list[DeliveryView]
    has_more: bool
    next: Annotated[UUID | None, Field(description="Give as `after` to read on.")] = None

    @classmethod
    def of(cls, found: list[LoggedDelivery], limit: int) -> "DeliveryPage":
        """`found` has one more than the page where there is more."""
        views = [DeliveryView.of(delivery) for delivery in found[:limit]]
        more = len(found) > limit
        return cls(data=views, has_more=more, next=views[-1].id if more else None)


def _delivery_fields(delivery: LoggedDelivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "event": delivery.event,
        "job_id": delivery.job_id,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "http_status": delivery.last_status,
        "error": delivery.last_error,
        "duration_ms": delivery.log[-1]["duration_ms"] if delivery.log else None,
        "created_at": delivery.created_at,
        "next_attempt_at": delivery.next_attempt_at,
    }
