"""What an attempt cost: the operator's own prices first, then the public list of genai-prices.

A price is resolved once a minute into a few numbers, so that pricing an attempt is arithmetic. The numbers are found
by asking genai-prices for a million tokens of each sort, which keeps its rules (cached input belongs to input,
reasoning to output, context tiers apply to the whole call) in one place: theirs.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache

import genai_prices
import structlog
from genai_prices import data_snapshot
from genai_prices.types import ModelInfo, ModelPrice, StartDateConstraint, TieredPrices

from aico.core.money import CENTS_PER_DOLLAR, MILLION
from aico.core.usage import Usage
from aico.routing.catalogue import Catalogue
from aico.routing.models import Model, PriceEntry, Rates
from aico.routing.providers.profiles import PROFILE_BY_NAME

_log = structlog.get_logger(__name__)

STANDARD_TIER = "standard"
LIST_BATCH_FACTOR = Decimal("0.5")  # providers' published discount for batch lanes, which the public list leaves out
_RESOLVED_KEPT = 4096  # (provider, model, tier, minute) entries


@dataclass(frozen=True)
class Price:
    cents: Decimal  # US cents, not rounded
    version: str  # source, its version and the date from which it holds


@dataclass(frozen=True)
class _Rates:
    """US dollars per million tokens, and dollars per call. `write_1h` and `reasoning` come on top of their wholes."""

    input_uncached: Decimal
    cache_read: Decimal
    cache_write: Decimal
    output: Decimal
    write_1h: Decimal = Decimal(0)
    reasoning: Decimal = Decimal(0)
    per_call: Decimal = Decimal(0)

    def cents(self, usage: Usage) -> Decimal:
        tokens = (
            usage.input_uncached * self.input_uncached
            + usage.cache_read * self.cache_read
            + usage.cache_write * self.cache_write
            + usage.cache_write_1h * self.write_1h
            + usage.output * self.output
            + usage.reasoning * self.reasoning
        )
        return (tokens / MILLION + self.per_call) * CENTS_PER_DOLLAR


@dataclass(frozen=True)
class _Resolved:
    """`bands[i]` holds for calls whose whole input exceeds exactly `i` of `thresholds` (tokens, ascending)."""

    thresholds: tuple[int, ...]
    bands: tuple[_Rates, ...]
    batch_factor: Decimal
    version: str

    def price(self, usage: Usage) -> Price:
        cents = self.bands[bisect_left(self.thresholds, usage.input_total)].cents(usage)
        return Price(cents * self.batch_factor if usage.batch else cents, self.version)


class PriceBook:
    """Prices of every model that a catalogue knows, and of any other name that the public list knows."""

    def __init__(self, catalogue: Catalogue, *, warns: bool = True) -> None:
        """`warns`: a model without a known price is logged, once."""
        self._models: Mapping[str, Model] = {model.id: model for model in catalogue.all_models}
        self._entries = catalogue.price_entries
        self._warns = warns
        self._warned: set[tuple[str, str]] = set()
        self._resolve_minute = lru_cache(maxsize=_RESOLVED_KEPT)(self._resolve)

    def cost_cents(self, provider: str, model: str, usage: Usage, at: datetime) -> Price | None:
        """The price of `usage` at the moment `at` (time zone aware), or None where no price is known.

        `model` is a catalogue id or the provider's own model name.
        """
        listed = self._models.get(model)
        name = listed.provider_model if listed is not None and listed.provider == provider else model
        minute = at.astimezone(UTC).replace(second=0, microsecond=0)
        resolved = self._resolve_minute(provider, name, usage.tier, minute)
        if resolved is None:
            self._warn_once(provider, name)
            return None
        return resolved.price(usage)

    def baseline_cost_cents(self, model_id: str, usage: Usage, at: datetime) -> Decimal | None:
        """US cents of the same tokens at `model_id`'s list price: no batch lane, no service tier."""
        model = self._models.get(model_id)
        if model is None:
            self._warn_once("baseline", model_id)
            return None
        plain = usage.model_copy(update={"batch": False, "tier": STANDARD_TIER})
        price = self.cost_cents(model.provider, model.id, plain, at)
        return price.cents if price is not None else None

    def _resolve(self, provider: str, model: str, tier: str, at: datetime) -> _Resolved | None:
        entries = [
            entry
            for entry in reversed(self._entries)
            if entry.provider == provider and entry.model == model and entry.covers(at.date())
        ]
        for named in (tier, None):  # a price of the tier goes before one of any tier, whichever comes last
            for entry in entries:
                if entry.tier == named:
                    return _from_entry(entry)
        profile = PROFILE_BY_NAME.get(provider)
        if profile is None or profile.prices_id is None:
            return None
        return _from_public_list(profile.prices_id, model, tier, at)

    def _warn_once(self, provider: str, model: str) -> None:
        if self._warns and (provider, model) not in self._warned:
            self._warned.add((provider, model))
            _log.warning("price_unknown", provider=provider, model=model)


def _from_entry(entry: PriceEntry) -> _Resolved:
    version = f"override {entry.provider}/{entry.model} from {entry.from_date.isoformat()}"
    return _Resolved(
        thresholds=tuple(step.above for step in entry.steps),
        bands=(_own_rates(entry), *map(_own_rates, entry.steps)),
        batch_factor=entry.batch_factor,
        version=version if entry.tier is None else f"{version} for {entry.tier}",
    )


def _own_rates(rates: Rates) -> _Rates:
    write = rates.input if rates.cache_write is None else rates.cache_write
    return _Rates(
        input_uncached=rates.input,
        cache_read=rates.input if rates.cache_read is None else rates.cache_read,
        cache_write=write,
        write_1h=Decimal(0) if rates.cache_write_1h is None else rates.cache_write_1h - write,
        output=rates.output,
    )


def _from_public_list(prices_id: str, model: str, tier: str, at: datetime) -> _Resolved | None:
    try:
        _, info = data_snapshot.get_snapshot().find_provider_model(model, None, prices_id, None)
    except LookupError:
        return None
    standard = info.get_prices(at)
    price = standard if tier == STANDARD_TIER else info.get_prices(at, {"service_tier": tier})
    if price.input_mtok is None and price.output_mtok is None:
        return None  # listed without a price: unknown, which is not free
    thresholds = sorted(
        {step.start for value in vars(price).values() if isinstance(value, TieredPrices) for step in value.tiers}
    )
    bands = tuple(_probe(_flat(price, tokens)) for tokens in (0, *(start + 1 for start in thresholds)))
    since = _effective_from(info, at)
    version = f"genai-prices {genai_prices.__version__} {prices_id}/{info.id} from {since or 'the beginning'}"
    if tier != STANDARD_TIER and price == standard:
        version = f"{version}, standard for {tier}"  # the list knows no price of this tier
    return _Resolved(tuple(thresholds), bands, LIST_BATCH_FACTOR, version)


def _flat(price: ModelPrice, input_tokens: int) -> ModelPrice:
    """`price` as it is for a call with that much input, without tiers."""
    return ModelPrice(
        **{
            key: _step(value, input_tokens) if isinstance(value, TieredPrices) else value
            for key, value in vars(price).items()
            if value is not None
        }
    )


def _step(price: TieredPrices, input_tokens: int) -> Decimal:
    reached = [step.price for step in price.tiers if input_tokens > step.start]
    return reached[-1] if reached else price.base


def _probe(price: ModelPrice) -> _Rates:
    def dollars(**tokens: int) -> Decimal:
        return price.calc_price(genai_prices.Usage(**tokens))["total_price"]

    million = int(MILLION)
    per_call = dollars()
    output = dollars(output_tokens=million) - per_call
    write = dollars(input_tokens=million, cache_write_tokens=million) - per_call
    hour = dollars(input_tokens=million, cache_write_tokens=million, cache_write_1h_tokens=million) - per_call
    reasoning = dollars(output_tokens=million, output_reasoning_tokens=million) - per_call
    return _Rates(
        input_uncached=dollars(input_tokens=million) - per_call,
        cache_read=dollars(input_tokens=million, cache_read_tokens=million) - per_call,
        cache_write=write,
        write_1h=hour - write,
        output=output,
        reasoning=reasoning - output,
        per_call=per_call,
    )


def _effective_from(info: ModelInfo, at: datetime) -> date | None:
    if isinstance(info.prices, ModelPrice):
        return None
    starts = [
        price.constraint.start_date
        for price in info.prices
        if isinstance(price.constraint, StartDateConstraint) and price.constraint.active(at)
    ]
    return max(starts, default=None)
