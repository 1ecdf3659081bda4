"""The score of a pair of texts: what raises it, what lowers it, and what it never does."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aico.embedding_service.verification.comparison import FEATURES, Verifier, profile
from aico.embedding_service.verification.weights import CONSERVATIVE, WEIGHTS

WORDLESS = Verifier()  # without word vectors: what holds of any texts holds of it
SCRAPS = (
    "How do I not open close the a Ann Ben 5 7 km miles to from by before after and or both he she called was 'x' `y`"
    " foo.bar --all if more less today tomorrow JSON CSV French German ``` == ( ) ? . , ; \n \t 漢字 é ' \" 😀"
    " n't 2-n't 's CAN'T"
)
WORDS = SCRAPS.split(" ")
TEXTS = st.one_of(
    st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join), st.text(alphabet="ab .'\"`1-")
)
COSINES = st.floats(-1, 1)

SERVED = [
    ("How do I renew my passport?", "how do i renew my passport", 0.97),
    ("How do I renew my passport?", "How do I  renew my passport ?", 0.96),
    ("Is that horse lying in the stable?", "Is that horse actually lying in the stable?", 0.96),
    ("Why doesn't the printer work?", "Why does the printer not work?", 0.94),
    ("How do I renew my passport?", "How do I rnew my passport?", 0.93),
    ("Did Wanda buy the boat?", "Was the boat bought by Wanda?", 0.93),
    ("Is Wanda a cousin of Igor?", "Is Igor a cousin of Wanda?", 0.98),
    ("Where do I buy a car in Riga?", "Where do I purchase a car in Riga?", 0.97),
    (
        "My friend keeps a goat. Is it legal to fish at night?",
        "My friend keeps a hen. Is it legal to fish at night?",
        0.96,
    ),
]
SLIPS = [
    ("How do I renew my passport?", "How od I renew my passport?"),
    ("How can I learn to sing?", "How canI learn to sing?"),
    ("What was the price in Riga?", "Whatw as the price in Riga?"),
    ("Is the museum near?", "Is th museum near?"),
    ("How do I reverse a string?", "How do I revrese a string?"),
]
OTHER_WORDS = [
    ("Who is Marc?", "Who is Mark?"),
    ("Is it on time?", "Is it no time?"),
    ("Who was first to 1 2?", "Who was first to 12?"),
    ("Give me the form", "Give me the farm"),
    ("What does npm do?", "What does nvm do?"),
]
NOT_SERVED = [
    ("Is Wanda Rossi a singer?", "Is Wanda Rossi a famous singer?", 0.96),
    ("How do I renew my passport?", "How do I renew my licence?", 0.95),
    ("Explain solar panels to a child", "Explain solar panels to a lawyer", 0.95),
    ("Do you deliver to Norway?", "Do you deliver from Norway?", 0.98),
    ("Why is the sea blue?", "Is the sea blue?", 0.98),
    ("I hurt my knee at golf. Is that serious?", "I hurt my jaw at golf. Is that serious?", 0.95),
    ("Do all snakes bite?", "Do some snakes bite?", 0.97),
    ("Who is the mayor of Lima?", "Who was the mayor of Lima?", 0.97),
]


@pytest.mark.parametrize(("asked", "kept", "cosine"), SERVED)
def test_what_says_the_same_is_served(verifier: Verifier, asked: str, kept: str, cosine: float) -> None:
    assert verifier.compare(asked, kept, cosine).score >= CONSERVATIVE


@pytest.mark.parametrize(("asked", "kept", "cosine"), NOT_SERVED)
def test_what_says_another_thing_is_not_served(verifier: Verifier, asked: str, kept: str, cosine: float) -> None:
    assert verifier.compare(asked, kept, cosine).score < CONSERVATIVE


@pytest.mark.parametrize(("asked", "kept"), SLIPS)
def test_a_slip_of_the_fingers_changes_nothing(verifier: Verifier, asked: str, kept: str) -> None:
    assert verifier.compare(asked, kept, 0.95).score >= CONSERVATIVE


@pytest.mark.parametrize(("asked", "kept"), OTHER_WORDS)
def test_another_word_is_no_slip(verifier: Verifier, asked: str, kept: str) -> None:
    assert verifier.compare(asked, kept, 0.95).score < CONSERVATIVE


def test_case_and_marks_mean_nothing_in_prose_and_something_in_code() -> None:
    prose = WORDLESS.compare("What is Python?", "what is python", 0.9)
    code = WORDLESS.compare("print(Value)", "print(value)", 0.9)
    assert prose.score > 0.99
    assert prose.guards == ()
    assert code.score < CONSERVATIVE


def test_blank_lines_make_no_code() -> None:
    assert (
        WORDLESS.compare("Explain this." + "\n" * 5 + "Gravity", "explain this " + "\n" * 5 + "gravity", 0.9).score
        > 0.99
    )


def test_an_accent_may_be_a_character_of_its_own_and_a_power_is_no_digit() -> None:
    assert WORDLESS.compare("Where is the caf\u00e9?", "where is the cafe\u0301", 0.9).score > 0.99
    assert WORDLESS.compare("How much is 5\u00b2?", "How much is 52?", 0.99).score < CONSERVATIVE
    assert WORDLESS.compare("How much is 5! ?", "How much is 5 ?", 0.99).score < CONSERVATIVE


ALARM = "Please enable the alarm of Ann today at 9 and tell the guard about the door and the lamp"


@pytest.mark.parametrize("change", ["10", "disable", "not enable", "Ben", "tomorrow"])
def test_one_word_in_a_long_prompt_is_seen(verifier: Verifier, change: str) -> None:
    words = ALARM.split()
    before = [f"{word}{place % 7}x" for place, word in enumerate(words * 60)]
    places = {"10": "9", "disable": "enable", "not enable": "enable", "Ben": "Ann", "tomorrow": "today"}
    asked = " ".join([*before, *words, *before])
    kept = " ".join([*before, *(change if word == places[change] else word for word in words), *before])
    assert verifier.compare(asked, kept, 0.9999).guards
    assert verifier.compare(asked, kept, 0.9999).score < CONSERVATIVE


def test_what_is_beyond_the_analysed_part_is_compared_too() -> None:
    long = "word " * 5_000
    assert WORDLESS.compare(long + "one", long + "two", 0.999).score < CONSERVATIVE


def test_a_profile_serves_many_comparisons(verifier: Verifier) -> None:
    asked, kept = profile("Where is my parcel?"), profile("Where's my package?")
    assert verifier.compare_profiles(asked, kept, 0.95) == verifier.compare(asked.text, kept.text, 0.95)
    assert verifier.compare_profiles(asked, asked, 0.2).score > 0.99


def test_features_have_names(verifier: Verifier) -> None:
    named = verifier.compare("Is it 5 km?", "Is it 7 km?", 0.9).named()
    assert tuple(named) == FEATURES
    assert named["numbers"] == 1
    assert named["cosine"] == 0.9
    assert set(WEIGHTS) == set(FEATURES)


def test_threads_share_a_verifier(verifier: Verifier) -> None:
    pairs = [(asked, kept, cosine) for asked, kept, cosine in SERVED + NOT_SERVED] * 20
    alone = [verifier.compare(*pair) for pair in pairs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda pair: verifier.compare(*pair), pairs)) == alone


@given(TEXTS, TEXTS, COSINES)
@settings(deadline=None, max_examples=300)
def test_a_score_is_a_probability_whatever_is_compared(asked: str, kept: str, cosine: float) -> None:
    compared = WORDLESS.compare(asked, kept, cosine)
    assert 0 < compared.score < 1
    assert len(compared.features) == len(FEATURES)
    assert all(math.isfinite(value) for value in compared.features)


@given(TEXTS, TEXTS, COSINES)
@settings(deadline=None, max_examples=300)
def test_a_comparison_is_the_same_in_both_directions(asked: str, kept: str, cosine: float) -> None:
    there, back = WORDLESS.compare(asked, kept, cosine), WORDLESS.compare(kept, asked, cosine)
    assert set(there.guards) == set(back.guards)
    assert there.score == pytest.approx(back.score)


@given(TEXTS, TEXTS, COSINES, COSINES)
@settings(deadline=None, max_examples=200)
def test_a_higher_cosine_never_lowers_the_score(asked: str, kept: str, one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert WORDLESS.compare(asked, kept, low).score <= WORDLESS.compare(asked, kept, high).score


@given(TEXTS, COSINES)
@settings(deadline=None, max_examples=200)
def test_a_text_matches_itself(text: str, cosine: float) -> None:
    compared = WORDLESS.compare(text, text, cosine)
    assert compared.guards == ()
    assert compared.score > 0.99


HOSTILE = {
    "one letter": "a" * 60_000,
    "letters and spaces": "a b " * 15_000,
    "quotes": "'" * 60_000,
    "open quotes": " 'a" * 20_000,
    "back quotes": "```" * 20_000,
    "numbers": "1," * 30_000,
    "calls": "f(" * 30_000,
    "habits": "Did " + "x " * 30_000 + " use",
    "dots": "a." * 30_000,
    "slashes": "a/b " * 15_000,
    "negations": "not " * 15_000,
    "passives": "was bought by " * 4_000,
    "prepositions": "x to y from z " * 4_000,
    "ideographs": "如何" * 20_000,
    "accents": "e\u0301" * 30_000,
    "spaces": " " * 60_000,
    "nothing": "",
    "an ending without a word": "2020-n't n't 's",
    "marks": "e" + "\u0301\u0327" * 100_000,
    "surrogate": "\ud800 x",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.timeout(20)  # these take milliseconds; an expression that backtracks would take hours
def test_hostile_texts_are_compared_like_any(text: str) -> None:
    assert 0 < WORDLESS.compare(text, text[::-1] + " z", 0.95).score < 1
    assert 0 < WORDLESS.compare(text, "How do I log in?", 0.2).score < CONSERVATIVE
