"""Stripe, by its own library. The only module that imports it."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from uuid import UUID

import stripe
import structlog
from pydantic import SecretStr

from aico.billing.objects import read_event, read_subscription
from aico.billing.protocol import Checkout
from aico.core.billing import PriceList, Subscription, Unit
from aico.core.errors import Conflict, InvalidInput, Unavailable
from aico.core.ids import new_id
from aico.core.metering import moment_of
from aico.core.settings import Settings
from aico.store.billing import Event
from aico.store.usage_reports import Report

log = structlog.get_logger()

CONNECT_SECONDS, READ_SECONDS = 3.0, 10.0
RETRIES = 2  # each under the same idempotency key
TOLERANCE_SECONDS = 300  # greatest age of a signature
_NO_SUCH_CUSTOMER = "resource_missing"
_KNOWN_ALREADY = "event already exists with identifier"  # there is no code for it

stripe.enable_telemetry = False


class StripeGateway:
    """Safe to share between threads. Each thread keeps a connection of its own."""

    def __init__(self, key: SecretStr, settings: Settings) -> None:
        self._client = stripe.StripeClient(
            key.get_secret_value(),
            base_addresses={"api": settings.stripe_api_base} if settings.stripe_api_base else {},
            max_network_retries=RETRIES,
            http_client=stripe.RequestsClient(timeout=(CONNECT_SECONDS, READ_SECONDS)),
        )
        self._secret = settings.stripe_webhook_secret
        self._prices = PriceList.of(settings.stripe_prices)
        events = dict(pair.split(":", 1) for pair in settings.stripe_meter_events)
        self._meter_events = {Unit(unit): name for unit, name in events.items()}

    def create_customer(self, tenant: UUID, name: str) -> str:
        # A name that has changed meanwhile makes another request, which the old key would not stand for.
        key = f"aico:customer:{tenant}:{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        with _errors():
            made = self._client.v1.customers.create(
                {"name": name, "metadata": {"aico_tenant": str(tenant)}}, {"idempotency_key": key}
            )
        return made.id

    def checkout(self, wanted: Checkout) -> str:
        price = self._prices.of_plan(wanted.plan)
        if price is None:
            raise Conflict(f"no price is set for the plan {wanted.plan}; it takes STRIPE_PRICES")
        metered: list[Any] = [{"price": price} for price in self._prices.metered.values()]
        with _errors():
            session = self._client.v1.checkout.sessions.create(
                {
                    "mode": "subscription",
                    "customer": wanted.customer,
                    "client_reference_id": str(wanted.tenant),
                    "line_items": [{"price": price, "quantity": 1}, *metered],
                    "success_url": wanted.success_url,
                    "cancel_url": wanted.cancel_url,
                    "subscription_data": {"metadata": {"aico_tenant": str(wanted.tenant)}},
                },
                {"idempotency_key": f"aico:checkout:{new_id()}"},
            )
        if session.url is None:
            raise Conflict("Stripe has made a checkout without a page")
        return session.url

    def portal(self, customer: str, return_url: str) -> str:
        with _errors():
            session = self._client.v1.billing_portal.sessions.create(
                {"customer": customer, "return_url": return_url}, {"idempotency_key": f"aico:portal:{new_id()}"}
            )
        return session.url

    def subscriptions(self, customer: str) -> Sequence[Subscription]:
        try:
            with _errors():
                found = self._client.v1.subscriptions.list({"customer": customer, "limit": 100})
                return [read_subscription(one.to_dict()) for one in found.auto_paging_iter()]
        except Conflict as refusal:
            if getattr(refusal.__cause__, "code", None) == _NO_SUCH_CUSTOMER:
                return []  # somebody has deleted it there, and Stripe its subscriptions with it
            raise

    def meters(self, unit: Unit) -> bool:
        return unit in self._meter_events

    def report(self, report: Report) -> None:
        try:
            with _errors():
                self._client.v1.billing.meter_events.create(
                    {
                        "event_name": self._meter_events[report.unit],
                        "identifier": report.identifier,
                        "timestamp": moment_of(report.day),
                        "payload": {"stripe_customer_id": report.customer, "value": str(report.quantity)},
                    },
                    {"idempotency_key": report.identifier},
                )
        except Conflict as refusal:
            if _KNOWN_ALREADY not in str(refusal.__cause__):
                raise

    def read_event(self, body: bytes, signature: str | None) -> Event:
        if self._secret is None:
            raise Conflict("events are not accepted here: STRIPE_WEBHOOK_SECRET is not set")
        try:
            # The library compares text, which Python only does in constant time where it is ASCII.
            if signature is None or not signature.isascii():
                raise InvalidInput("the Stripe-Signature header is missing or malformed")
            stripe.WebhookSignature.verify_header(
                body, signature, self._secret.get_secret_value(), tolerance=TOLERANCE_SECONDS
            )
        except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
            raise InvalidInput("the Stripe-Signature header does not fit this body, or is too old") from error
        return read_event(body)


@contextmanager
def _errors() -> Iterator[None]:
    """Stripe's errors as this product's. Their messages stay in the log: they may name prices, customers and keys."""
    try:
        yield
    except stripe.StripeError as error:
        status = error.http_status or 0
        kind = error.code or type(error).__name__
        log.warning("stripe_refused", status=status, error=kind, request=error.request_id)
        passing = isinstance(error, stripe.APIConnectionError | stripe.RateLimitError)
        refused_us = isinstance(error, stripe.AuthenticationError | stripe.PermissionError)
        if passing or refused_us or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == 0:
            raise Unavailable("the payment service does not answer") from error
        raise Conflict(f"the payment service refuses this: {kind}") from error
