"""Which questions are bound to their time, and which are somebody's own."""

import pytest

from aico.core.chat import ChatRequest, Message, Role, TextPart
from aico.core.freshness import bound_to_time, personal, turn_bound_to_time

YEAR = 2026


def said(*turns: str, system: str | None = None) -> ChatRequest:
    """Turns of the user and the assistant by turns, the user's first."""
    roles = (Role.USER, Role.ASSISTANT)
    messages = [Message(role=roles[number % 2], content=text) for number, text in enumerate(turns)]
    return ChatRequest(messages=(*([Message(role=Role.SYSTEM, content=system)] if system else []), *messages))


@pytest.mark.parametrize(
    "question",
    [
        "What's the weather in Paris today?",
        "Will it rain in London",
        "what is the latest version of Python",
        "Who is the current president of France?",
        "What is the price of bitcoin?",
        "How much does an iPhone 16 cost?",
        "usd to eur",
        "exchange rate dollar euro",
        "news about Tesla",
        "Is the library open now?",
        "What time does the museum open?",
        "opening hours of the Louvre",
        "who won the game last night",
        "What time is it?",
        "When is the next train to Bath?",
        "What is the current interest rate?",
        "What are the trending topics this week?",
        "What was the price of gold at the beginning of 2026?",
        "Wie wird das Wetter in Berlin?",
        "Was kostet Benzin heute?",
        "Quel temps fait-il à Lyon ?",
        "aujourd\u2019hui c'est quel jour",
        "¿Qué tiempo hace en Madrid?",
        "tipo de cambio euro dólar",
        "cotação do dólar",
    ],
)
def test_what_changes_from_day_to_day_is_bound_to_its_time(question: str) -> None:
    assert bound_to_time(said(question), YEAR)


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of France?",
        "What is electric current?",
        "How does alternating current work?",
        "Explain the price of options theory",
        "What is price elasticity of demand?",
        "How are exchange rates determined?",
        "What was the price of gold in 1980?",
        "Who won the 1998 world cup?",
        "from now on answer in French",
        "Write a function that returns the current user in Django",
        "What's the current directory in bash?",
        "How does weather form?",
        "git: sort branches by date",
        "the actual value is 5, why?",
        "What does 'breaking news' mean?",
        "How do I open a file in Python?",
        "Was bedeutet der Begriff Morgenstern?",
    ],
)
def test_what_stays_true_is_not(question: str) -> None:
    assert not bound_to_time(said(question), YEAR)


@pytest.mark.parametrize(
    "question",
    [
        "Where is my order?",
        "what is the status of my parcel",
        "my account balance please",
        "my last two orders",
        "When is my next appointment?",
        "has my refund been processed",
        "What's my name?",
        "how much do I owe",
        "Cancel my subscription",
        "Wo ist mein Paket?",
        "Où est ma commande ?",
        "¿Dónde está mi pedido?",
        "Onde está minha encomenda?",
    ],
)
def test_what_is_the_users_alone_is_personal(question: str) -> None:
    assert personal(said(question))


@pytest.mark.parametrize(
    "question",
    [
        "How do I reset my password?",
        "How can I cancel my order?",
        "how do I track my parcel",
        "Review my code please",
        "Improve my essay about orders",
        "Is my function correct?",
        "What is an order?",
        "my order of operations is wrong, why is 2+3*4 14",
        "Wie kann ich meine Bestellung stornieren?",
        "Comment puis-je suivre mon colis ?",
        "Summarise this text for my boss",
    ],
)
def test_what_is_the_same_for_everybody_is_not(question: str) -> None:
    assert not personal(said(question))


def test_a_follow_up_is_what_the_question_before_it_was() -> None:
    assert bound_to_time(said("What's the weather in Paris?", "12 degrees.", "And in Rome?"), YEAR)
    assert personal(said("Where is my order?", "On its way.", "When does it arrive?"))


def test_what_others_than_the_user_say_does_not_count() -> None:
    request = said("Who was Bach?", "A composer, still played today.", "Born where?", system="Where is my order today?")
    assert not bound_to_time(request, YEAR)
    assert not personal(request)


def test_of_a_long_text_both_ends_are_read() -> None:
    filling = "words " * 5000
    assert bound_to_time(said(f"{filling}\nIs that still so today?"), YEAR)
    assert bound_to_time(said(f"Is that still so today? {filling}"), YEAR)
    assert not bound_to_time(said(f"{filling}today {filling}"), YEAR)


def test_words_beside_pictures_are_read() -> None:
    parts = (TextPart(text="Is this shop open now?"),)
    assert bound_to_time(ChatRequest(messages=(Message(role=Role.USER, content=parts),)), YEAR)


@pytest.mark.parametrize(
    ("turn", "bound"),
    [("Is the library open now?", True), ("Is it open NOW ? !", True), ("Is the library open?", False)],
)
def test_of_a_last_turn_alone_it_is_said_too(turn: str, bound: bool) -> None:
    assert turn_bound_to_time(turn, YEAR) is bound
