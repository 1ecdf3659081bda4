"""Lines from counted to billed tokens, learned from calls as a service would see them."""

import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from statistics import median

import pytest
from builders import chat
from hypothesis import given
from hypothesis import strategies as st
from routing.test_prices import NOW

from aico.core.chat import ChatRequest, ImagePart, Message, Role, TextPart, Tool, ToolCall
from aico.core.settings import Settings
from aico.core.tokens import Pair, Sums
from aico.routing.calibration import HALF_LIFE, NO_LINES, PRIOR, Line, Lines, fit, learn, weighed
from aico.routing.catalogue import Catalogue
from aico.routing.features import extract_features
from aico.routing.prices import PriceBook
from aico.routing.strategies.protocol import price_models

KEY = ("openai_compatible", "house")
BATCH = 10  # calls that are booked together
Bill = Callable[[int, random.Random], float]


def calls(bill: Bill, number: int, seed: int) -> Iterator[Pair]:
    """Prompts of log-normal length, as chats have."""
    dice = random.Random(seed)
    for _ in range(number):
        counted = max(1, round(dice.lognormvariate(5, 1.2)))
        yield Pair(*KEY, counted, max(1, round(bill(counted, dice))))


def learned(pairs: list[Pair]) -> Line:
    """As the recorder goes on: batch by batch, forgetting."""
    sums, lines = Sums(), dict[tuple[str, str], Line]()
    for start in range(0, len(pairs), BATCH):
        fresh = learn(pairs[start : start + BATCH], lines)[KEY]
        kept = 0.5 ** (fresh.calls / HALF_LIFE)
        old = (kept * value for value in (sums.w, sums.x, sums.y, sums.xx, sums.xy))
        sums = Sums(sums.calls, *old) + fresh
        lines = {KEY: fit(sums)}
    return lines[KEY]


def error(line: Line, pairs: Iterator[Pair]) -> float:
    """Median relative error."""
    return median(abs(line.tokens(pair.counted) / pair.billed - 1) for pair in pairs)


def denser(counted: int, dice: random.Random) -> float:
    """A tokenizer that takes 1.4 times as many, give or take 3 %, and 25 for the conversation."""
    return 1.4 * counted * dice.gauss(1, 0.03) + 25


def sparser(counted: int, dice: random.Random) -> float:
    return 0.7 * counted * dice.gauss(1, 0.03) + 4


def far_denser(counted: int, dice: random.Random) -> float:
    """Far more than is believed at once."""
    return 3.2 * counted * dice.gauss(1, 0.03) + 10


def often_absurd(counted: int, dice: random.Random) -> float:
    """As `denser`, but one call in twenty has a prompt that nobody sees, and one reports next to nothing."""
    fate = dice.random()
    return 50_000 if fate < 0.05 else 1 if fate < 0.1 else denser(counted, dice)


@pytest.mark.parametrize("bill", [denser, sparser, often_absurd])
def test_after_200_calls_the_error_is_below_5_percent(bill: Bill) -> None:
    for seed in range(5):
        line = learned(list(calls(bill, 200, seed)))
        usual = denser if bill is often_absurd else bill
        assert error(line, calls(usual, 500, seed + 100)) < 0.05
        assert error(PRIOR, calls(usual, 500, seed + 100)) > 0.15


def test_a_model_that_counts_as_was_published_stays_at_the_prior() -> None:
    line = learned([Pair(*KEY, counted, PRIOR.tokens(counted)) for counted in range(1, 400)])
    assert (line.slope, line.overhead) == pytest.approx((PRIOR.slope, PRIOR.overhead + 0.5), abs=0.6)


def test_a_tokenizer_that_changes_is_followed() -> None:
    pairs = [*calls(denser, 2000, 1), *calls(sparser, 6 * HALF_LIFE, 2)]
    assert error(learned(pairs), calls(sparser, 500, 3)) < 0.05


def test_a_tokenizer_that_differs_by_more_than_is_believed_at_once_is_followed_too() -> None:
    assert error(learned(list(calls(far_denser, 400, 1))), calls(far_denser, 500, 2)) < 0.05


def test_one_call_says_little() -> None:
    line = fit(learn([Pair(*KEY, 100, 1_000_000)], NO_LINES)[KEY])
    assert line.tokens(100) == pytest.approx(PRIOR.tokens(100), rel=0.15)


def test_models_are_learned_apart() -> None:
    found = learn([Pair("a", "m", 10, 20), Pair("b", "m", 10, 30), Pair("a", "m", 10, 20)], NO_LINES)
    assert {key: sums.calls for key, sums in found.items()} == {("a", "m"): 2, ("b", "m"): 1}


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(1, 10**8)), max_size=50))
def test_whatever_is_reported_the_line_is_one_that_a_tokenizer_can_have(reported: list[tuple[int, int]]) -> None:
    sums = Sums()
    for counted, billed in reported:
        sums += weighed(counted, billed)
    line = fit(sums)
    assert 0.4 <= line.slope <= 4
    assert 0 <= line.overhead <= 1000


def test_prices_are_estimated_as_each_model_counts() -> None:
    catalogue = Catalogue.from_settings(Settings.model_construct())
    models = [model for model in catalogue.all_models if model.id in {"gpt-5.4", "claude-sonnet-5-5"}]
    features = extract_features(chat("word " * 1000))
    prices = PriceBook(catalogue)
    lines: Lines = {("anthropic", "claude-sonnet-5-5"): Line(1.4, 0)}
    plain = {one.model.id: one.cents for one in price_models(models, features, prices, NOW)}
    calibrated = {one.model.id: one.cents for one in price_models(models, features, prices, NOW, lines)}
    assert calibrated["gpt-5.4"] == plain["gpt-5.4"]
    counted = features.telling_tokens
    assert counted is not None
    dollars = 2 * Line(1.4, 0).tokens(counted) + 10 * features.all_output_tokens  # for each million
    assert calibrated["claude-sonnet-5-5"] == Decimal(dollars) / 10_000


def test_only_plain_texts_tell_how_a_model_counts() -> None:
    words = Message(role=Role.USER, content="How are you?")
    picture = Message(role=Role.USER, content=(TextPart(text="What?"), ImagePart(url="https://a.test/b.png")))
    calling = Message(role=Role.ASSISTANT, content="x", tool_calls=(ToolCall(id="c", name="find", arguments="{}"),))
    odd = (
        ChatRequest(messages=(picture,)),
        ChatRequest(messages=(words,), tools=(Tool(name="find"),)),
        ChatRequest(messages=(words, calling)),
        ChatRequest(messages=(words.model_copy(update={"content": "word " * 10_000}),)),
    )
    assert extract_features(ChatRequest(messages=(words,))).telling_tokens == 4
    assert [extract_features(request).telling_tokens for request in odd] == [None] * len(odd)
