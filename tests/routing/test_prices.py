from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from aico.core.settings import Settings
from aico.core.usage import Usage
from aico.routing.catalogue import Catalogue
from aico.routing.models import PriceEntry
from aico.routing.prices import PriceBook
from aico.routing.providers.profiles import Profile

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
CATALOGUE = Catalogue.from_settings(Settings.model_construct())
BOOK = PriceBook(CATALOGUE)
LISTED = [model for model in CATALOGUE.all_models if model.provider not in {"local", "simulated"}]

tokens = st.one_of(st.integers(0, 5_000), st.integers(90_000, 300_000))
usages = st.builds(
    lambda written, hour, **more: Usage(cache_write=written, cache_write_1h=min(hour, written), **more),
    *(tokens, tokens),
    **dict.fromkeys(("input_uncached", "cache_read", "output"), tokens),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - st adds UTC


def their_cents(provider: str, model: str, usage: Usage, at: datetime, tier: str | None = None) -> Decimal:
    calculation = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=usage.input_total,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
            cache_write_1h_tokens=usage.cache_write_1h,
            output_tokens=usage.output,
            output_reasoning_tokens=usage.reasoning,
        ),
        model,
        provider_id=provider,
        genai_request_timestamp=at,
        price_context={"service_tier": tier} if tier else None,
    )
    return calculation.total_price * 100


@given(st.sampled_from(LISTED), usages, moments)
def test_equals_genai_prices(model: object, usage: Usage, at: datetime) -> None:
    listed = next(entry for entry in LISTED if entry is model)
    price = BOOK.cost_cents(listed.provider, listed.id, usage, at)
    assert price is not None
    assert price.cents == their_cents(listed.provider, listed.provider_model, usage, at)


@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_service_tiers_equal_genai_prices(tier: str) -> None:
    usage = Usage(input_uncached=1_000, output=500, tier=tier)
    price = BOOK.cost_cents("openai", "gpt-5.4-mini", usage, NOW)
    assert price is not None
    assert price.cents == their_cents("openai", "gpt-5.4-mini", usage, NOW, tier)
    assert price.cents != their_cents("openai", "gpt-5.4-mini", usage, NOW)


def test_separately_priced_reasoning_and_price_per_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model of the bundled catalogue has such prices; the arithmetic must hold for one that is added."""
    other = Profile(name="perplexity", wire="openai_chat", prices_id="perplexity")
    monkeypatch.setattr("aico.routing.prices.PROFILE_BY_NAME", {"perplexity": other})
    usage = Usage(input_uncached=1_000, output=800, reasoning=300)
    for model in ("sonar", "sonar-pro", "sonar-deep-research"):
        price = BOOK.cost_cents("perplexity", model, usage, NOW)
        assert price is not None
        assert price.cents == their_cents("perplexity", model, usage, NOW)


def test_context_tier_starts_above_its_threshold() -> None:
    def cents(input_tokens: int) -> Decimal:
        price = BOOK.cost_cents("google", "gemini-2.5-pro", Usage(input_uncached=input_tokens), NOW)
        assert price is not None
        return price.cents

    assert cents(200_000) == Decimal(25)  # $1.25 per million
    assert cents(200_001) == Decimal("50.00025")  # $2.50 per million for all of it


def test_batch_lane_halves_the_price() -> None:
    full = BOOK.cost_cents("openai", "gpt-5.4", Usage(input_uncached=1_000, output=10), NOW)
    half = BOOK.cost_cents("openai", "gpt-5.4", Usage(input_uncached=1_000, output=10, batch=True), NOW)
    assert full is not None
    assert half is not None
    assert half.cents * 2 == full.cents


def entry(start: date, until: date | None, dollars: str, **more: Any) -> PriceEntry:
    values = {"provider": "openai", "model": "gpt-5.4", "from": start, "until": until}
    return PriceEntry.model_validate({**values, "input": dollars, "output": dollars, **more})


def book(*entries: PriceEntry) -> PriceBook:
    return PriceBook(Catalogue(CATALOGUE.all_models, CATALOGUE.providers, entries))


def test_overrides_hold_between_their_dates_and_the_last_one_wins() -> None:
    own = book(
        entry(date(2026, 1, 1), None, "1"), entry(date(2026, 6, 1), date(2026, 7, 1), "3", cache_read=Decimal("0.5"))
    )
    usage = Usage(input_uncached=1_000_000, cache_read=1_000_000)

    def priced(day: datetime) -> tuple[Decimal, str]:
        price = own.cost_cents("openai", "gpt-5.4", usage, day)
        assert price is not None
        return price.cents, price.version

    assert priced(datetime(2026, 5, 31, 23, 59, tzinfo=UTC)) == (
        Decimal(200),
        "override openai/gpt-5.4 from 2026-01-01",
    )
    assert priced(datetime(2026, 6, 1, tzinfo=UTC)) == (Decimal(350), "override openai/gpt-5.4 from 2026-06-01")
    assert priced(datetime(2026, 7, 1, tzinfo=UTC))[0] == 200
    cents, version = priced(datetime(2025, 12, 31, tzinfo=UTC))
    assert cents != 200
    assert version.startswith(f"genai-prices {genai_prices.__version__} openai/gpt-5.4 from")


def cents_of(own: PriceBook, usage: Usage, at: datetime = NOW) -> Decimal:
    price = own.cost_cents("openai", "gpt-5.4", usage, at)
    assert price is not None
    return price.cents


def test_an_hour_in_the_cache_costs_twice_the_input_and_minutes_a_quarter_more() -> None:
    def cents(hour: int) -> Decimal:
        usage = Usage(cache_write=1_000_000, cache_write_1h=hour)
        price = BOOK.cost_cents("anthropic", "claude-sonnet-5-5", usage, NOW)
        assert price is not None
        return price.cents

    assert [cents(hour) for hour in (0, 400_000, 1_000_000)] == [250, 310, 400]


def test_writes_to_the_cache_of_an_own_price_cost_what_the_sort_before_them_costs_unless_it_is_said() -> None:
    usage = Usage(cache_write=1_000_000, cache_write_1h=1_000_000)
    start = date(2026, 1, 1)
    assert cents_of(book(entry(start, None, "2")), usage) == 200
    assert cents_of(book(entry(start, None, "2", cache_write=Decimal(3))), usage) == 300
    hourly = entry(start, None, "2", cache_write=Decimal(3), cache_write_1h=Decimal(4))
    assert cents_of(book(hourly), usage) == 400


def test_a_price_of_a_tier_goes_before_one_of_any_tier() -> None:
    own = book(entry(date(2026, 1, 1), None, "1", tier="flex"), entry(date(2026, 1, 1), None, "3"))

    def million(tier: str) -> Usage:
        return Usage(input_uncached=1_000_000, tier=tier)

    assert [cents_of(own, million(tier)) for tier in ("flex", "priority", "standard")] == [100, 300, 300]
    price = own.cost_cents("openai", "gpt-5.4", million("flex"), NOW)
    assert price is not None
    assert price.version == "override openai/gpt-5.4 from 2026-01-01 for flex"


def test_steps_of_an_own_price_hold_for_the_whole_of_a_longer_call() -> None:
    steps = ({"above": 1_000, "input": "2", "output": "5"}, {"above": 2_000, "input": "4", "output": "6"})
    own = book(entry(date(2026, 1, 1), None, "1", steps=steps))
    costs = [cents_of(own, Usage(input_uncached=tokens)) for tokens in (1_000, 1_001, 2_000, 2_001)]
    assert costs == [Decimal("0.1"), Decimal("0.2002"), Decimal("0.4"), Decimal("0.8004")]
    assert cents_of(own, Usage(input_uncached=1_500, output=1_000)) == Decimal("0.8")


@pytest.mark.parametrize("starts", [(2, 1), (1, 1)])
def test_steps_that_do_not_ascend_are_refused(starts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="steps must ascend"):
        entry(date(2026, 1, 1), None, "1", steps=[{"above": above, "input": "1", "output": "1"} for above in starts])


def test_a_tier_without_a_price_is_charged_as_standard_and_says_so() -> None:
    usage = Usage(input_uncached=1_000, output=10)
    tiered = BOOK.cost_cents("anthropic", "claude-sonnet-5-5", usage.model_copy(update={"tier": "priority"}), NOW)
    plain = BOOK.cost_cents("anthropic", "claude-sonnet-5-5", usage, NOW)
    assert tiered is not None
    assert plain is not None
    assert (tiered.cents, tiered.version) == (plain.cents, f"{plain.version}, standard for priority")


def test_version_names_the_date_of_the_price() -> None:
    price = BOOK.cost_cents("openrouter", "deepseek-v3.2", Usage(output=1), NOW)
    assert price is not None
    assert price.version == f"genai-prices {genai_prices.__version__} openrouter/deepseek/deepseek-v3.2 from 2026-11-09"


def test_self_hosted_models_have_a_nominal_price_without_batch_discount() -> None:
    usage = Usage(input_uncached=1_000_000, output=1_000_000, batch=True)
    for provider, model in (("local", "smollm2-135m"), ("simulated", "simulated-small")):
        price = BOOK.cost_cents(provider, model, usage, NOW)
        assert price is not None
        assert price.cents == 5


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-unheard-of"), ("openai_compatible", "x"), ("nobody", "x"), ("google", "gemma-4-31b-it")],
)
def test_unknown_price_is_none_and_one_warning(provider: str, model: str) -> None:
    fresh = PriceBook(CATALOGUE)
    with capture_logs() as logs:
        assert fresh.cost_cents(provider, model, Usage(input_uncached=10), NOW) is None
        assert fresh.cost_cents(provider, model, Usage(input_uncached=10), NOW.replace(hour=1)) is None
    assert logs == [{"event": "price_unknown", "log_level": "warning", "provider": provider, "model": model}]


def test_baseline_ignores_lane_and_tier() -> None:
    usage = Usage(input_uncached=1_000, output=100, batch=True, tier="flex")
    plain = BOOK.cost_cents("openai", "gpt-5.4", Usage(input_uncached=1_000, output=100), NOW)
    assert plain is not None
    assert BOOK.baseline_cost_cents("gpt-5.4", usage, NOW) == plain.cents
    assert PriceBook(CATALOGUE).baseline_cost_cents("gpt-unheard-of", usage, NOW) is None


def test_naming_by_id_and_by_the_providers_own_name_is_one_price() -> None:
    usage = Usage(input_uncached=1_000, output=100)
    by_id = BOOK.cost_cents("openrouter", "llama-3.3-70b", usage, NOW)
    assert by_id is not None
    assert by_id == BOOK.cost_cents("openrouter", "meta-llama/llama-3.3-70b-instruct", usage, NOW)
