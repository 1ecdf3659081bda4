"""What one call becomes in the ledger, whichever way it ended."""

from dataclasses import dataclass
from datetime import datetime

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, KeySource
from aico.core.ids import new_id
from aico.core.usage import Usage
from aico.routing.models import Model
from aico.routing.prices import PriceBook
from aico.routing.providers.failures import ProviderError


@dataclass(frozen=True)
class Metered:
    """A call, at the moment (time zone aware) when it began; `seconds` is how long it took."""

    model: Model
    key_source: KeySource
    at: datetime
    seconds: float = 0.0

    def attempt(
        self, prices: PriceBook, outcome: AttemptOutcome, usage: Usage | None, error: ProviderError | None = None
    ) -> Attempt:
        # An answer without any tokens is an answer without a usage report: its cost is unknown, not zero.
        known = usage if usage is not None and usage.total > 0 else None
        price = prices.cost_cents(self.model.provider, self.model.id, known, self.at) if known is not None else None
        return Attempt(
            id=new_id(),
            at=self.at,
            kind=AttemptKind.CALL,
            outcome=outcome,
            provider=self.model.provider,
            model=self.model.id,
            latency_ms=max(0, int(self.seconds * 1000)),
            usage=usage or Usage(),
            cost_cents=price.cents if price is not None else None,
            price_version=price.version if price is not None else None,
            http_status=error.http_status if error is not None else None,
            error=error.message if error is not None else None,
            key_source=self.key_source,
        )
