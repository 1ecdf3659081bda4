from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from builders import chat
from hypothesis import given
from hypothesis import strategies as st

from aico.core.jobs import JobClass
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.routing.features import extract_features
from aico.routing.lanes import Estimate, LanePolicy, Terms, choose_lane, hedge_seconds, quote
from aico.routing.models import Model, PriceEntry
from aico.routing.prices import PriceBook
from aico.routing.strategies.protocol import Decision, RoutingPolicy

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = 3600.0
PATIENT = Terms(JobClass.BATCH, 6 * HOUR, deadline_given=True)
POLICY = LanePolicy(frozenset({"openai", "anthropic"}), min_slack=HOUR, attempt_timeout=60)
AUTO = RoutingPolicy()
FEATURES = replace(extract_features(chat("Hello")), input_tokens=1_000_000, output_tokens=1_000_000)

MakeModel = Callable[..., Model]


def decided(*candidates: Model) -> Decision:
    return Decision(candidates, "test", 0.5, "high", (), "test/1")


def estimate(prices: dict[Model, str | None], *, batch_factor: str = "0.5") -> Estimate:
    """Prices in US dollars for the whole request; None where no price is known."""
    entries = [
        PriceEntry.model_validate(
            {
                "provider": model.provider,
                "model": model.provider_model,
                "from": NOW.date(),
                "input": dollars,
                "output": 0,
                "batch_factor": batch_factor,
            }
        )
        for model, dollars in prices.items()
        if dollars is not None
    ]
    return Estimate(PriceBook(Catalogue(tuple(prices), (), tuple(entries))), FEATURES, NOW)


@pytest.fixture
def own(make_model: MakeModel) -> Model:
    return make_model("own", provider="openai", quality=0.6)


@pytest.fixture
def swift(make_model: MakeModel) -> Model:
    """Of a provider without a lane."""
    return make_model("swift", provider="cerebras", quality=0.6)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (Terms(JobClass.BATCH, 6 * HOUR, deadline_given=False), None),
        (Terms(JobClass.BATCH, HOUR, deadline_given=True), None),
        (Terms(JobClass.BATCH, HOUR - 1, deadline_given=True), "3599 s are left, and a batch lane needs 3600 s"),
        (Terms(JobClass.BATCH, -5, deadline_given=True), "-5 s are left, and a batch lane needs 3600 s"),
        (Terms(JobClass.STANDARD, 6 * HOUR, deadline_given=True), None),
        (
            Terms(JobClass.STANDARD, 6 * HOUR, deadline_given=False),
            "standard work waits only where it is given a deadline",
        ),
        (Terms(JobClass.INTERACTIVE, 6 * HOUR, deadline_given=True), "interactive work does not wait"),
    ],
)
def test_who_may_wait(own: Model, terms: Terms, reason: str | None) -> None:
    choice = choose_lane(decided(own), AUTO, estimate({own: "2"}), terms, POLICY)
    if reason is None:
        assert choice.lane is not None
        assert choice.lane.hedge_seconds == hedge_seconds(terms.slack_seconds, 60)
    else:
        assert (choice.lane, choice.reason) == (None, reason)


def test_first_candidate_with_a_lane_and_a_lower_price(own: Model, swift: Model, make_model: MakeModel) -> None:
    dear = make_model("dear", provider="anthropic", quality=0.9)
    prices = estimate({swift: "3", dear: "8", own: "4"})
    choice = choose_lane(decided(swift, dear, own), AUTO, prices, PATIENT, POLICY)
    assert choice.lane is not None
    assert (choice.lane.model, choice.lane.cents) == (own, Decimal(200))
    assert choice.reason == "the batch price of own is below the price of swift now"


@pytest.mark.parametrize(("dollars", "factor"), [("6", "0.5"), ("9", "0.5"), ("3", "1")])
def test_a_lane_must_save_something(own: Model, swift: Model, dollars: str, factor: str) -> None:
    prices = estimate({swift: "3", own: dollars}, batch_factor=factor)
    choice = choose_lane(decided(swift, own), AUTO, prices, PATIENT, POLICY)
    assert (choice.lane, choice.reason) == (None, "no known batch price is below the price of swift now")


def test_named_model_is_not_exchanged_for_a_cheaper_one(own: Model, swift: Model) -> None:
    prices = estimate({swift: "3", own: "1"})
    named = choose_lane(decided(swift, own), RoutingPolicy(model="swift"), prices, PATIENT, POLICY)
    assert (named.lane, named.reason) == (None, "no model that may be preferred has a batch lane")
    itself = choose_lane(decided(own, swift), RoutingPolicy(model="own"), prices, PATIENT, POLICY)
    assert itself.lane is not None


def test_candidates_ranked_below_the_first_answer_only_for_its_failure(own: Model, swift: Model) -> None:
    weak = own.model_copy(update={"quality": 0.59})
    choice = choose_lane(decided(swift, weak), AUTO, estimate({swift: "3", weak: "1"}), PATIENT, POLICY)
    assert choice.lane is None


def test_unknown_prices_open_no_lane(own: Model, swift: Model, make_model: MakeModel) -> None:
    assert choose_lane(decided(own), AUTO, estimate({own: None}), PATIENT, POLICY).reason == (
        "the price of own is unknown"
    )
    other = make_model("other", provider="anthropic")
    choice = choose_lane(
        decided(swift, other.model_copy(update={"quality": 0.6}), own),
        AUTO,
        estimate({swift: "3", other: None, own: "2"}),
        PATIENT,
        POLICY,
    )
    assert choice.lane is not None
    assert choice.lane.model == own


def test_policy_of_the_settings(own: Model) -> None:
    settings = Settings.model_construct(batch_lane_min_seconds=7.0, attempt_timeout_seconds=3.0)
    assert LanePolicy.from_settings(settings, ["openai"]) == LanePolicy(frozenset({"openai"}), 7.0, 3.0)
    shut = LanePolicy.from_settings(settings.model_copy(update={"batch_lanes": False}), ["openai"])
    choice = choose_lane(decided(own), AUTO, estimate({own: "2"}), PATIENT, shut)
    assert (choice.lane, choice.reason) == (None, "no batch lane is open")


@pytest.mark.parametrize(
    ("slack", "timeout", "hedge"),
    [
        (3600.0, 60.0, 3240.0),  # a tenth is more than two attempts
        (600.0, 60.0, 480.0),  # two attempts are more than a tenth
        (100.0, 60.0, 50.0),  # never more than half
        (86400.0, 60.0, 77760.0),
    ],
)
def test_hedge(slack: float, timeout: float, hedge: float) -> None:
    assert hedge_seconds(slack, timeout) == pytest.approx(hedge)


@given(slack=st.floats(1e-3, 1e7), timeout=st.floats(1e-3, 1e5), more=st.floats(0, 1e6))
def test_hedge_leaves_room_on_both_sides(slack: float, timeout: float, more: float) -> None:
    hedge = hedge_seconds(slack, timeout)
    assert 0 < hedge < slack
    assert hedge >= slack / 2
    assert slack - hedge >= min(2 * timeout, slack / 2) * (1 - 1e-9)
    assert slack - hedge >= slack / 10 * (1 - 1e-9)
    assert hedge_seconds(slack + more, timeout) >= hedge
    assert hedge_seconds(slack, timeout + more) <= hedge


def test_quote_with_a_lane(own: Model, swift: Model) -> None:
    offered = quote(decided(swift, own), AUTO, estimate({swift: "3", own: "4"}), PATIENT, POLICY, "own")
    assert (offered.now.model, offered.now.cents) == (swift, Decimal(300))
    assert (offered.by_deadline.model, offered.by_deadline.cents) == (own, Decimal(200))
    assert (offered.in_lane, offered.saving_cents, offered.baseline_cents) == (True, Decimal(100), Decimal(400))
    assert offered.latest == NOW + timedelta(hours=6)
    assert offered.reason == "the batch price of own is below the price of swift now"


def test_quote_without_a_lane(own: Model) -> None:
    urgent = replace(PATIENT, slack_seconds=60.0)
    offered = quote(decided(own), AUTO, estimate({own: "4"}), urgent, POLICY, "unheard-of")
    assert offered.now == offered.by_deadline
    assert (offered.in_lane, offered.saving_cents, offered.baseline_cents) == (False, Decimal(0), None)
    assert offered.latest == NOW + timedelta(minutes=1)


def test_quote_of_an_unknown_price(own: Model) -> None:
    offered = quote(decided(own), AUTO, estimate({own: None}), PATIENT, POLICY, "own")
    assert (offered.now.cents, offered.saving_cents, offered.baseline_cents) == (None, None, None)
    assert not offered.in_lane
