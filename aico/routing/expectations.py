"""What a request may use, cheaply: known before it is stored, so that quotas can reserve it."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from aico.core.chat import AUTO_MODELS, ChatRequest
from aico.core.jobs import Controls
from aico.core.money import round_cents
from aico.core.quotas import Expected
from aico.core.usage import Usage
from aico.routing.catalogue import Catalogue
from aico.routing.features import DEFAULT_OUTPUT_TOKENS, declared, needs
from aico.routing.models import Capability, Model
from aico.routing.prices import PriceBook
from aico.routing.tokens import rough_input_tokens

# A model is never the dearest if another costs as much or more for each of these.
_PROBES = (Usage(input_uncached=1000), Usage(output=1000), Usage(input_uncached=1_000_000))
_REMEMBERED = 1024
_MINUTE = 60  # seconds


class _Ask(NamedTuple):
    """What decides who may answer, and at which prices."""

    needed: frozenset[Capability]
    named: str | None
    allowed: frozenset[str] | None
    fallback: bool
    minute: int  # since 1970


class Expectations:
    def __init__(self, catalogue: Catalogue, prices: PriceBook) -> None:
        self._models = catalogue.models
        self._prices = prices
        self._dearest = lru_cache(maxsize=_REMEMBERED)(self._find_dearest)
        self._most = lru_cache(maxsize=_REMEMBERED)(self._find_most)

    def of(self, chat: ChatRequest, controls: Controls, allowed: frozenset[str] | None = None) -> Expected:
        """Tokens of the prompt and of the longest answer, or a usual one; and what the dearest model takes for them.

        Of the models that may answer, `allowed` being those that the key may use; one of which no price is known counts
        as nothing. Linear in the prompt, without loading a vocabulary; prices are looked up once a minute, and what
        prompts of one length take is remembered as long.
        """
        prompt = rough_input_tokens(chat.messages, declared(chat))
        answer = (chat.max_tokens or DEFAULT_OUTPUT_TOKENS) * chat.n
        model = None if chat.model in AUTO_MODELS else chat.model
        ask = _Ask(needs(chat), model, allowed, controls.fallback is not False, int(time.time() // _MINUTE))
        cents = self._most(ask, prompt, answer)
        if controls.max_cost_cents is not None:
            cents = min(cents, round_cents(controls.max_cost_cents))
        return Expected(prompt + answer, cents)

    def _find_most(self, ask: "_Ask", prompt: int, answer: int) -> Decimal:
        usage, at = Usage(input_uncached=prompt, output=answer), datetime.fromtimestamp(ask.minute * _MINUTE, UTC)
        costs = (self._cents(model, usage, at) or Decimal(0) for model in self._dearest(ask))
        return round_cents(max(costs, default=Decimal(0)))

    def _find_dearest(self, ask: "_Ask") -> Sequence[Model]:
        """Those of which one is the dearest, whatever the prompt: most often a single one."""
        least = next((model.quality for model in self._models if model.id == ask.named), 0.0)
        at = datetime.fromtimestamp(ask.minute * _MINUTE, UTC)
        priced: dict[tuple[Decimal, ...], Model] = {}
        for model in self._models:
            wanted = ask.named in {None, model.id} or (ask.fallback and model.quality >= least)
            may_answer = wanted and (ask.allowed is None or model.id in ask.allowed)
            costs = [self._cents(model, probe, at) for probe in _PROBES]
            if may_answer and ask.needed <= model.capabilities and None not in costs:
                priced[tuple(cost for cost in costs if cost is not None)] = model
        return [model for costs, model in priced.items() if not any(_above(other, costs) for other in priced)]

    def _cents(self, model: Model, usage: Usage, at: datetime) -> Decimal | None:
        price = self._prices.cost_cents(model.provider, model.id, usage, at)
        return None if price is None else price.cents


def _above(other: tuple[Decimal, ...], costs: tuple[Decimal, ...]) -> bool:
    return other != costs and all(theirs >= ours for theirs, ours in zip(other, costs, strict=True))
