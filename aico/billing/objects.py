"""Stripe's objects as this service reads them. Only what it uses is looked at, so most API versions will do."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aico.core.billing import Subscription
from aico.core.errors import InvalidInput, Unavailable
from aico.store.billing import Event


def read_event(body: bytes) -> Event:
    """Of a body that has been verified. Raises InvalidInput."""
    try:
        event = json.loads(body)
        named, about = (event["id"], event["type"]), event["data"]["object"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput("the body is not one of Stripe's events") from error
    if not all(isinstance(name, str) for name in named) or not isinstance(about, dict):
        raise InvalidInput("the body is not one of Stripe's events")
    return Event(*named, customer=_id(about.get("customer")))


def _id(value: Any) -> str | None:
    """Of an object that is named, or there as a whole."""
    found = value.get("id") if isinstance(value, dict) else value
    return found if isinstance(found, str) else None


def read_subscription(raw: Mapping[str, Any]) -> Subscription:
    """Before 2025 Stripe kept the period with the subscription, and before 2020 it called prices plans.

    Raises Unavailable for what cannot be read: nothing is decided on it.
    """
    try:
        return _subscription(raw)
    except (KeyError, TypeError, AttributeError) as error:
        raise Unavailable("the payment service answers what cannot be read") from error


def _subscription(raw: Mapping[str, Any]) -> Subscription:
    items = raw["items"]["data"]
    dated: Mapping[str, Any] = next((item for item in items if item.get("current_period_end")), raw)
    sold = (item.get("price") or item.get("plan") or {} for item in items)
    return Subscription(
        id=raw["id"],
        status=raw["status"],
        prices=frozenset(price["id"] for price in sold if "id" in price),
        created=raw["created"],
        period_start=_moment(dated.get("current_period_start")),
        period_end=_moment(dated.get("current_period_end")),
        cancel_at_period_end=bool(raw.get("cancel_at_period_end")),
    )


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
