"""Where billing is switched on. Without a key Stripe's library is not imported: that takes 0.2 s and 7 MB."""

from aico.billing.protocol import Gateway
from aico.core.settings import Settings


def load_gateway(settings: Settings) -> Gateway | None:
    """None where no key is set. Raises InvalidInput for prices that contradict each other."""
    if settings.stripe_api_key is None:
        return None
    from aico.billing.stripe_gateway import StripeGateway  # noqa: PLC0415 - optional, and heavy

    return StripeGateway(settings.stripe_api_key, settings)
