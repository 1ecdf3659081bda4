"""Hints for providers' prompt caches: when they are given, and the requests that they make."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from aico.core.chat import ChatRequest, Message, Role, TextPart, Tool, ToolCall
from aico.routing.catalogue import Catalogue
from aico.routing.models import Model
from aico.routing.prices import PriceBook
from aico.routing.prompt_cache import PromptCache, beginnings, pays
from aico.routing.providers.anthropic_messages import AnthropicMessages
from aico.routing.providers.openai_chat import OpenAIChat
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.wire import CacheHint

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TENANT, OTHER = UUID(int=1), UUID(int=2)
LONG = "You answer questions about the handbook. " * 500  # 5,000 tokens or so
EPHEMERAL = {"type": "ephemeral"}
SEARCH, CLOCK = Tool(name="search"), Tool(name="clock")
NO_PARAMETERS = {"type": "object", "properties": {}}


class Seen:
    """Counts in this process. Nothing is forgotten."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def count(self, digests: Sequence[str]) -> Mapping[str, int]:
        before = {digest: self.counts.get(digest, 0) for digest in digests}
        self.counts.update({digest: seen + 1 for digest, seen in before.items()})
        return before


def talk(*turns: str, system: str = LONG, tools: tuple[Tool, ...] = ()) -> ChatRequest:
    roles = (Role.USER, Role.ASSISTANT)
    spoken = tuple(Message(role=roles[place % 2], content=text) for place, text in enumerate(turns))
    head = (Message(role=Role.SYSTEM, content=system),) if system else ()
    return ChatRequest(messages=(*head, *spoken), tools=tools)


@pytest.fixture
def kept(catalogue: Catalogue) -> PromptCache:
    return PromptCache(PriceBook(catalogue), Seen())


@pytest.fixture
def claude(catalogue: Catalogue) -> Model:
    return catalogue.find("claude-haiku-4-5")


@pytest.fixture
def gpt(catalogue: Catalogue) -> Model:
    return catalogue.find("gpt-5.4-nano")


@pytest.mark.parametrize(
    ("tokens", "uses", "write", "read", "worth"),
    [
        (5000, 1, "1.25", "0.1", False),
        (5000, 2, "1.25", "0.1", True),  # 1.35 and not 2
        (5000, 2, "2", "0.1", False),  # an hour's keeping
        (5000, 3, "2", "0.1", True),
        (5000, 9, "1.25", "1", False),  # no discount
        (5000, 1, "1", "1", False),
        (0, 9, "1.25", "0.1", False),
        (5000, 0, "1.25", "0.1", False),
    ],
)
def test_what_pays(tokens: int, uses: int, write: str, read: str, worth: bool) -> None:
    assert pays(tokens, uses, Decimal(write), Decimal(read), Decimal(1)) is worth


def test_a_head_is_kept_from_its_second_use_on(kept: PromptCache, claude: Model) -> None:
    hints = [kept.hint(TENANT, talk(question), claude, AT) for question in ("One?", "Two?", "Three?")]
    assert hints == [None, CacheHint(head=True), CacheHint(head=True)]


def test_a_conversation_is_kept_once_it_goes_on(kept: PromptCache, claude: Model) -> None:
    opening = "Here is the whole handbook. " * 1000
    turns = (opening, "Thanks.", "And?", "This.", "Go on.")
    hints = [kept.hint(TENANT, talk(*turns[:length], system=""), claude, AT) for length in (1, 3, 5)]
    assert hints == [None, CacheHint(conversation=True), CacheHint(conversation=True)]


def test_what_a_tool_returned_is_part_of_the_conversation(kept: PromptCache, claude: Model) -> None:
    asked = talk("Look it up. " * 2000, system="")
    called = Message(role=Role.ASSISTANT, tool_calls=(ToolCall(id="c1", name="search", arguments="{}"),))
    returned = Message(role=Role.TOOL, tool_call_id="c1", content="Found.")
    assert kept.hint(TENANT, asked, claude, AT) is None
    onwards = asked.model_copy(update={"messages": (*asked.messages, called, returned)})
    assert kept.hint(TENANT, onwards, claude, AT) == CacheHint(conversation=True)


def test_tenants_and_models_share_nothing(kept: PromptCache, claude: Model, catalogue: Catalogue) -> None:
    assert kept.hint(TENANT, talk("One?"), claude, AT) is None
    assert kept.hint(OTHER, talk("Two?"), claude, AT) is None
    assert kept.hint(TENANT, talk("Three?"), catalogue.find("claude-haiku-5-5"), AT) is None
    assert beginnings(talk("One?"), TENANT.bytes).head.digest != beginnings(talk("One?"), OTHER.bytes).head.digest


def test_what_is_too_short_to_be_kept_is_not_even_counted(catalogue: Catalogue, claude: Model, gpt: Model) -> None:
    seen = Seen()
    kept = PromptCache(PriceBook(catalogue), seen)
    for model in (claude, gpt):
        assert [kept.hint(TENANT, talk("Hi?", system="Be brief."), model, AT) for _ in range(3)] == [None] * 3
    assert seen.counts == {}


def test_without_a_known_price_nothing_is_kept(kept: PromptCache, make_model: Callable[..., Model]) -> None:
    unknown = make_model("claude-unheard-of", provider="anthropic")
    assert [kept.hint(TENANT, talk("One?"), unknown, AT) for _ in range(3)] == [None] * 3


def test_openai_gets_a_key_of_the_tenant_and_the_head(kept: PromptCache, gpt: Model) -> None:
    first, second, longer = (
        kept.hint(TENANT, request, gpt, AT) for request in (talk("One?"), talk("Two?"), talk("One?", "1.", "Two?"))
    )
    assert first is not None
    assert first == second == longer
    assert kept.hint(OTHER, talk("One?"), gpt, AT) != first
    assert kept.hint(TENANT, talk("One?", tools=(CLOCK,)), gpt, AT) != first
    assert first.key is not None
    assert len(first.key) == 32
    assert str(TENANT).replace("-", "") not in first.key


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gpt-oss-120b", "smollm2-135m", "house-model"])
def test_others_are_told_nothing(kept: PromptCache, catalogue: Catalogue, model: str) -> None:
    assert [kept.hint(TENANT, talk("One?"), catalogue.find(model), AT) for _ in range(3)] == [None] * 3


def anthropic_body(request: ChatRequest, model: Model, caching: CacheHint | None) -> dict[str, Any]:
    wire, profile = AnthropicMessages(), PROFILE_BY_NAME["anthropic"]
    call = wire.build_request(profile, None, model, request, stream=False, caching=caching)
    body: dict[str, Any] = json.loads(call.body)
    return body


def test_anthropic_marks_the_systems_words_and_the_last_message(make_model: Callable[..., Model]) -> None:
    request = talk("One?", "1.", "Two?", system="Be brief.", tools=(SEARCH, CLOCK))
    assert anthropic_body(request, make_model("claude"), CacheHint(head=True, conversation=True)) == {
        "model": "claude",
        "system": [{"type": "text", "text": "Be brief.", "cache_control": EPHEMERAL}],
        "messages": [
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "1."},
            {"role": "user", "content": [{"type": "text", "text": "Two?", "cache_control": EPHEMERAL}]},
        ],
        "max_tokens": 1000,
        "tools": [
            {"name": "search", "input_schema": NO_PARAMETERS},
            {"name": "clock", "input_schema": NO_PARAMETERS},
        ],
    }


def test_anthropic_marks_the_last_tool_where_the_system_says_nothing(make_model: Callable[..., Model]) -> None:
    body = anthropic_body(talk("One?", system="", tools=(SEARCH, CLOCK)), make_model("claude"), CacheHint(head=True))
    assert body["tools"] == [
        {"name": "search", "input_schema": NO_PARAMETERS},
        {"name": "clock", "input_schema": NO_PARAMETERS, "cache_control": EPHEMERAL},
    ]
    assert "system" not in body


def test_anthropic_marks_the_last_block_of_several(make_model: Callable[..., Model], tool_talk: ChatRequest) -> None:
    parts = (TextPart(text="One"), TextPart(text="Two"))
    for last, blocks in (
        (Message(role=Role.USER, content=parts), [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]),
        (
            Message(role=Role.TOOL, tool_call_id="call_2", content="19"),
            [{"type": "tool_result", "tool_use_id": "call_2", "content": "19"}],
        ),
    ):
        request = tool_talk.model_copy(update={"messages": (*tool_talk.messages[:3], last)})
        body = anthropic_body(request, make_model("claude"), CacheHint(conversation=True))
        assert body["messages"][-1]["content"] == [*blocks[:-1], {**blocks[-1], "cache_control": EPHEMERAL}]


@pytest.mark.parametrize("hint", [CacheHint(), CacheHint(head=True, conversation=True), CacheHint(key="k")])
def test_without_marks_the_request_to_anthropic_is_the_same(
    make_model: Callable[..., Model], tool_talk: ChatRequest, hint: CacheHint
) -> None:
    plain = anthropic_body(tool_talk, make_model("claude"), None)
    assert unmarked(anthropic_body(tool_talk, make_model("claude"), hint)) == unmarked(plain)
    nothing_to_mark = talk("", system="")
    assert anthropic_body(nothing_to_mark, make_model("claude"), hint) == anthropic_body(
        nothing_to_mark, make_model("claude"), None
    )


def unmarked(body: dict[str, Any]) -> dict[str, Any]:
    """As a model reads it: a block of text and the text alone are alike."""
    text = json.dumps(body).replace(f', "cache_control": {json.dumps(EPHEMERAL)}', "")
    found: dict[str, Any] = json.loads(text)
    if isinstance(found.get("system"), list):
        found["system"] = found["system"][0]["text"]
    for message in found["messages"]:
        if isinstance(message["content"], str):
            message["content"] = [{"type": "text", "text": message["content"]}]
    return found


def openai_body(request: ChatRequest, model: Model, caching: CacheHint | None, profile: str = "openai") -> bytes:
    return OpenAIChat().build_request(PROFILE_BY_NAME[profile], None, model, request, stream=True, caching=caching).body


def test_openai_gets_the_key_and_nothing_else_changes(make_model: Callable[..., Model]) -> None:
    plain = openai_body(talk("One?"), make_model("m"), None)
    hinted = openai_body(talk("One?"), make_model("m"), CacheHint(key="0123"))
    assert hinted == b'{"prompt_cache_key":"0123",' + plain[1:]


def test_the_callers_own_key_wins(make_model: Callable[..., Model]) -> None:
    request = talk("One?").model_copy(update={"hints": {"prompt_cache_key": "theirs"}})
    assert json.loads(openai_body(request, make_model("m"), CacheHint(key="ours")))["prompt_cache_key"] == "theirs"
