from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.core.chat import ChatRequest, ImagePart, JsonSchema, Message, Role, Tool, ToolCall
from aico.core.errors import InvalidInput, NoProvider
from aico.routing.catalogue import Catalogue
from aico.routing.difficulty import assess
from aico.routing.features import Features, TaskType, extract_features
from aico.routing.models import Capability, Model
from aico.routing.prices import PriceBook
from aico.routing.strategies.complexity import ComplexityStrategy, needed_quality
from aico.routing.strategies.protocol import Ask, PricedModel, RoutingPolicy, fits, price_models

AUTO = RoutingPolicy()
EASY = "What is the capital of France?"
HARD = (
    "Design and prove correct a lock-free queue in C++. You must support many producers, must not allocate while "
    "pushing, and should explain why each memory order is needed. Compare it with a mutex. Then write unit tests.\n"
    "```cpp\nclass Queue {\n public:\n  void push(int value);\n};\n```\n" * 8
)


def features(text: str = EASY, **request: object) -> Features:
    return extract_features(
        ChatRequest.model_validate({"messages": [Message(role=Role.USER, content=text)], **request})
    )


@pytest.fixture
def shelf(make_model: Callable[..., Model]) -> tuple[PricedModel, ...]:
    rows = [("tiny", 0.1, "0.1"), ("small", 0.4, "1"), ("middle", 0.6, "3"), ("odd", 0.7, "2"), ("large", 0.9, "20")]
    return tuple(PricedModel(make_model(name, quality=quality), Decimal(cents)) for name, quality, cents in rows)


def order(shelf: tuple[PricedModel, ...], asked: Features, policy: RoutingPolicy = AUTO) -> list[str]:
    return [model.id for model in ComplexityStrategy().decide(Ask(asked, shelf, policy)).candidates]


counts = st.integers(0, 12)
any_features = st.builds(
    Features,
    input_tokens=st.integers(1, 9_000),
    output_tokens=st.just(400),
    turns=st.integers(1, 12),
    question_chars=st.integers(0, 100_000),
    code_marks=counts,
    math_marks=counts,
    reasoning_words=counts,
    constraints=counts,
    questions=counts,
    task=st.sampled_from(TaskType),
    needs=st.just(frozenset()),
)
COUNTED = [field.name for field in fields(Features) if field.name in {
    "turns", "question_chars", "code_marks", "math_marks", "reasoning_words", "constraints", "questions"
}]  # fmt: skip


@given(any_features, st.sampled_from(COUNTED), st.integers(1, 1_000))
def test_score_never_falls_as_a_feature_grows(base: Features, name: str, more: int) -> None:
    grown = replace(base, **{name: getattr(base, name) + more})
    assert assess(grown)[0] >= assess(base)[0]


@given(any_features)
def test_score_is_the_sum_of_its_parts(asked: Features) -> None:
    score, parts = assess(asked)
    assert 0 <= score <= 1
    assert score == pytest.approx(sum(part.points for part in parts))
    assert [part.points for part in parts] == sorted((part.points for part in parts), reverse=True)


def test_demanding_prompts_score_higher_and_say_why(shelf: tuple[PricedModel, ...]) -> None:
    easy = ComplexityStrategy().decide(Ask(features(EASY), shelf, AUTO))
    hard = ComplexityStrategy().decide(Ask(features(HARD), shelf, AUTO))
    assert easy.score < 0.3
    assert hard.score > 0.7
    assert easy.candidates[0].id == "small"
    assert hard.candidates[0].id == "large"
    assert any(reason.startswith("code:") for reason in hard.reasons)
    assert any(reason.startswith("reasoning:") for reason in hard.reasons)
    assert hard.reasons[-1] == f"score {hard.score:.2f} asks for quality {needed_quality(hard.score):.2f}"
    assert (hard.strategy, hard.policy_version, hard.propensity) == ("complexity", "complexity-1", 1.0)


def test_good_enough_by_price_then_weaker_from_the_best_down(shelf: tuple[PricedModel, ...]) -> None:
    assert order(shelf, features(EASY)) == ["small", "odd", "middle", "large", "tiny"]
    assert order(shelf, features(HARD)) == ["large", "odd", "middle", "small", "tiny"]


def test_unknown_price_comes_after_known_ones(shelf: tuple[PricedModel, ...]) -> None:
    unpriced = tuple(replace(priced, cents=None) if priced.model.id == "small" else priced for priced in shelf)
    assert order(unpriced, features(EASY)) == ["odd", "middle", "large", "small", "tiny"]


def test_named_model_first_then_its_equals_and_betters(shelf: tuple[PricedModel, ...]) -> None:
    assert order(shelf, features(HARD), RoutingPolicy("middle")) == ["middle", "odd", "large"]
    assert order(shelf, features(HARD), RoutingPolicy("middle", allow_fallback=False)) == ["middle"]
    decision = ComplexityStrategy().decide(Ask(features(), shelf, RoutingPolicy("tiny")))
    assert (decision.strategy, decision.confidence, decision.reasons) == ("named", "high", ("asked for tiny",))
    with pytest.raises(InvalidInput, match="cannot be called"):
        order(shelf, features(), RoutingPolicy("missing"))


def test_confidence_follows_the_distance_to_another_choice(make_model: Callable[..., Model]) -> None:
    score, _ = assess(features(EASY))

    def confidence(quality: float) -> str:
        shelf = (
            PricedModel(make_model("cheap", quality=quality), Decimal(1)),
            PricedModel(make_model("best", quality=1), Decimal(9)),
        )
        return ComplexityStrategy().decide(Ask(features(EASY), shelf, AUTO)).confidence

    assert confidence(needed_quality(score + 0.02)) == "low"
    assert confidence(needed_quality(score + 0.1)) == "medium"
    assert confidence(needed_quality(score + 0.3)) == "high"


def test_json_needs_the_capability(shelf: tuple[PricedModel, ...], make_model: Callable[..., Model]) -> None:
    mute = PricedModel(make_model("mute", quality=0.99, capabilities=frozenset()), Decimal(0))
    asked = features(response_format="json_object")
    assert order((mute, *shelf), asked)[0] == "small"
    assert "mute" not in order((mute, *shelf), asked)
    for policy in (AUTO, RoutingPolicy("mute")):
        with pytest.raises(InvalidInput) as caught:
            order((mute,), asked, policy)
        assert caught.value.param == "response_format"


NEEDY: list[tuple[dict[str, Any], Capability, str, str]] = [
    ({"tools": [Tool(name="clock")]}, Capability.TOOLS, "can call tools", "tools"),
    (
        {"messages": [Message(role=Role.USER, content=(ImagePart(url="https://example.com/a.png"),))]},
        Capability.VISION,
        "can see images",
        "messages",
    ),
    (
        {"response_format": "json_schema", "json_schema": JsonSchema(schema_={})},
        Capability.SCHEMA,
        "supports answers that follow a JSON schema",
        "response_format",
    ),
    ({"n": 2}, Capability.CHOICES, "gives several choices", "n"),
    ({"logprobs": True}, Capability.LOGPROBS, "tells log probabilities", "logprobs"),
]


@pytest.mark.parametrize(("request_fields", "needed", "does", "param"), NEEDY)
def test_what_a_request_needs_is_known_before_the_call(
    request_fields: dict[str, Any],
    needed: Capability,
    does: str,
    param: str,
    shelf: tuple[PricedModel, ...],
    make_model: Callable[..., Model],
) -> None:
    asked = features(**request_fields)
    assert asked.needs == {needed}
    able_one = PricedModel(make_model("able", quality=0.1, capabilities=frozenset({needed})), Decimal(1))
    assert order((*shelf, able_one), asked) == ["able"]
    for policy in (AUTO, RoutingPolicy("small")):
        with pytest.raises(InvalidInput) as caught:
            order(shelf, asked, policy)
        assert (caught.value.detail, caught.value.param) == (f"no model that may answer {does}", param)


def test_needs_that_only_several_models_meet_together(make_model: Callable[..., Model]) -> None:
    shelf = tuple(
        PricedModel(make_model(one, capabilities=frozenset({Capability(one)})), Decimal(1))
        for one in ("tools", "vision")
    )
    looking = Message(role=Role.USER, content=(ImagePart(url="https://example.com/a.png"),))
    with pytest.raises(InvalidInput) as caught:
        order(shelf, features(messages=[looking], tools=[Tool(name="clock")]))
    assert caught.value.detail == "no model that may answer can call tools and can see images"


def test_a_conversation_with_calls_in_it_needs_a_model_that_knows_them() -> None:
    talk = [
        Message(role=Role.ASSISTANT, tool_calls=(ToolCall(id="c", name="clock", arguments="{}"),)),
        Message(role=Role.TOOL, tool_call_id="c", content="noon"),
    ]
    assert features(messages=talk).needs == {Capability.TOOLS}


def test_every_choice_is_priced(catalogue: Catalogue) -> None:
    at, prices = datetime(2026, 11, 20, tzinfo=UTC), PriceBook(catalogue)

    def cents(asked: Features) -> Decimal:
        priced = price_models((catalogue.find("gpt-5.4"),), replace(asked, input_tokens=0), prices, at)[0].cents
        assert priced is not None
        return priced

    assert cents(features(n=3)) == 3 * cents(features())
    assert fits(features(n=100), catalogue.find("smollm2-135m")), "each choice has the window to itself"


def test_context_window_is_respected(shelf: tuple[PricedModel, ...], make_model: Callable[..., Model]) -> None:
    roomy = PricedModel(make_model("roomy", context_window=1_000_000, quality=0.2), Decimal(50))
    long = features("word " * 9_700)
    assert not fits(long, shelf[0].model)
    assert order((*shelf, roomy), long) == ["roomy"]
    with pytest.raises(InvalidInput, match="holds 10000") as caught:
        order(shelf, long)
    assert caught.value.param == "messages"


def test_nothing_configured() -> None:
    with pytest.raises(NoProvider, match="OPENAI_API_KEY"):
        order((), features())


def test_pricing_the_bundled_catalogue(catalogue: Catalogue) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    priced = price_models(catalogue.models, features(), PriceBook(catalogue), now)
    cents = {entry.model.id: entry.cents for entry in priced}
    assert cents.pop("house-model") is None
    assert all(value is not None and value > 0 for value in cents.values())
    decision = ComplexityStrategy().decide(Ask(features(EASY), priced, AUTO))
    assert set(decision.candidates) == set(catalogue.models)
    assert decision.candidates[-1].id == "simulated-small"


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Write a python function that reverses a list", TaskType.CODE),
        ("Summarise this article: ...", TaskType.TRANSFORM),
        ("What is 12 * 7 + 3?", TaskType.MATH),
        ("Pick one.\nA. red\nB. green\nC. blue\nD. grey", TaskType.CHOICE),
        ("Compose a poem about the sea", TaskType.CREATE),
        ("Who was Ada Lovelace?", TaskType.QUESTION),
        ("Hello there", TaskType.CHAT),
    ],
)
def test_tasks(text: str, task: TaskType) -> None:
    assert features(text).task is task


def test_wishes_are_features() -> None:
    asked = features(max_tokens=77, response_format="json_object")
    assert (asked.output_tokens, asked.needs) == (77, frozenset({Capability.JSON}))
    assert asked.task is TaskType.QUESTION
