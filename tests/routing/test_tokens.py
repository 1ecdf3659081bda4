import math

from hypothesis import given, settings
from hypothesis import strategies as st

from aico.core.chat import ChatRequest, ImagePart, JsonSchema, Message, Role, TextPart, Tool, ToolCall
from aico.routing.features import extract_features
from aico.routing.tokens import count_text, estimate_input_tokens


def test_ordinary_text_is_counted_by_the_tokenizer() -> None:
    assert count_text("hello world") == 2
    assert count_text("<|endoftext|>") > 1, "the name of a special token is ordinary text here"
    assert count_text("") == 0


def test_long_text_is_counted_by_its_characters() -> None:
    assert count_text("word " * 100_000) == 125_000


def test_overhead_is_once_a_conversation() -> None:
    one = Message(role=Role.USER, content="word " * 100)
    assert estimate_input_tokens((one,)) == math.ceil(1.077 * count_text(one.text) + 12.9)
    assert estimate_input_tokens((one, one)) == math.ceil(1.077 * 2 * count_text(one.text) + 12.9)
    assert estimate_input_tokens((Message(role=Role.USER, content=""),)) == 13


def test_a_picture_counts_the_same_however_it_is_sent() -> None:
    words = TextPart(text="What is this?")
    plain = estimate_input_tokens((Message(role=Role.USER, content=(words,)),))
    for url in ("https://example.com/a.png", "data:image/png;base64," + "A" * 100_000):
        picture = Message(role=Role.USER, content=(words, ImagePart(url=url)))
        assert estimate_input_tokens((picture,)) == plain + 765


def test_calls_and_what_is_declared_beside_a_conversation_count() -> None:
    spoken = Message(role=Role.ASSISTANT, content="word")
    calling = spoken.model_copy(update={"tool_calls": (ToolCall(id="c", name="find", arguments="word " * 50),)})
    assert estimate_input_tokens((calling,)) > estimate_input_tokens((spoken,)) + 50
    plain = ChatRequest(messages=(spoken,))
    schema = {"type": "object", "properties": {f"field_{number}": {"type": "string"} for number in range(20)}}
    for declared in ({"tools": (Tool(name="find", parameters=schema),)}, {"json_schema": JsonSchema(schema_=schema)}):
        richer = plain.model_copy(update=declared)
        assert extract_features(richer).input_tokens > extract_features(plain).input_tokens + 100


@settings(deadline=None)  # the first call loads the vocabulary
@given(st.text(st.characters(codec=None), max_size=200))
def test_any_text_has_a_count(text: str) -> None:
    assert 0 <= count_text(text) <= 4 * len(text)
