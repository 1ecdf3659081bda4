"""What billing needs of a payment service. All calls block, within bounded time; none belongs on an event loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from aico.core.billing import Subscription, Unit
from aico.core.plans import Plan
from aico.store.billing import Event
from aico.store.usage_reports import Report


@dataclass(frozen=True, slots=True)
class Checkout:
    tenant: UUID
    customer: str
    plan: Plan
    success_url: str
    cancel_url: str


class Gateway(Protocol):
    """Each raises Unavailable where the service does not answer, and Conflict where it refuses."""

    def create_customer(self, tenant: UUID, name: str) -> str:
        """The id of a new customer; the same one again where a first call was cut off."""

    def checkout(self, wanted: Checkout) -> str:
        """The address of a page that sells a plan."""

    def portal(self, customer: str, return_url: str) -> str:
        """The address of a page where a customer changes or ends what it pays for."""

    def subscriptions(self, customer: str) -> Sequence[Subscription]:
        """All that have not ended."""

    def meters(self, unit: Unit) -> bool:
        """Whether use in this unit is reported."""

    def report(self, report: Report) -> None:
        """Tell of use. Telling it again changes nothing, for as long as the service remembers the identifier."""

    def read_event(self, body: bytes, signature: str | None) -> Event:
        """Does no I/O. Raises InvalidInput for what the service has not signed, or not lately."""
