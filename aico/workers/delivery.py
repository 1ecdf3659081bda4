"""The rules of deliveries, after Standard Webhooks 1.0.0: when to try again, when to give up, and how to sign."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from standardwebhooks import Webhook

from aico.store.webhooks import Delivery, DeliveryStatus, Outcome

_MINUTE, _HOUR = 60.0, 3600.0
# Seconds after each failed attempt: the schedule of Standard Webhooks, about 75 hours in all.
DELAYS = (
    *(5.0, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR),
    *(10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
)
JITTER = 0.1
# Refusals that may pass. Every other 4xx says that the request itself is unwanted, 410 that the endpoint is gone.
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    retry_after: float | None  # seconds


def next_delay(tries: int, retry_after: float | None, uniform: float) -> float | None:
    """Seconds until the next attempt after `tries` failed ones; None after the last.

    `uniform` in [0, 1) spreads it by a tenth either way. What the endpoint asks for is honoured where it is longer, up
    to the longest delay of the schedule.
    """
    if tries > len(DELAYS):
        return None
    delay = DELAYS[tries - 1] * (1 - JITTER + 2 * JITTER * uniform)
    return max(delay, min(retry_after or 0.0, DELAYS[-1]))


def judge(reply: Reply, tries: int, uniform: float) -> Outcome:
    """Only 2xx is a delivery. Redirects are failures: following one would lead around the check of the address."""
    if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome(DeliveryStatus.DELIVERED, reply.status)
    error = f"the endpoint answered {reply.status}"
    refused = HTTPStatus.BAD_REQUEST <= reply.status < HTTPStatus.INTERNAL_SERVER_ERROR
    if refused and reply.status not in _PASSING:
        return Outcome(DeliveryStatus.FAILED, reply.status, error, hopeless=reply.status == HTTPStatus.GONE)
    return again(tries, error, uniform, reply)


def again(tries: int, error: str, uniform: float, reply: Reply | None = None) -> Outcome:
    """After a failure that may pass: another attempt, unless the schedule is exhausted."""
    status, retry_after = (reply.status, reply.retry_after) if reply else (None, None)
    delay = next_delay(tries, retry_after, uniform)
    if delay is None:
        return Outcome(DeliveryStatus.FAILED, status, f"{error}; given up after {tries} attempts", hopeless=True)
    return Outcome(DeliveryStatus.PENDING, status, error, delay)


def signed(delivery: Delivery, body: bytes, at: datetime) -> Mapping[str, str]:
    """The headers that prove where the body comes from and when it was sent. `at` in UTC.

    While secrets overlap each of them signs, so that either verifies.
    """
    text = body.decode()
    signatures = [Webhook(secret.get_secret_value()).sign(str(delivery.id), at, text) for secret in delivery.secrets]
    return {
        "webhook-id": str(delivery.id),
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
