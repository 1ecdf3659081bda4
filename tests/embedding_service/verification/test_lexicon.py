"""What the lexicon and the tokeniser know of words."""

import pytest

from aico.embedding_service.verification.lexicon import derived, lemma, opposite, same_meaning
from aico.embedding_service.verification.residue import slip
from aico.embedding_service.verification.tokens import MOST_TOKENS, Kind, tokenise
from aico.embedding_service.verification.vectors import WordVectors


@pytest.mark.parametrize(
    ("word", "expected"),
    [("stolen", "steal"), ("queries", "query"), ("preferred", "prefer"), ("unblocking", "unblock"), ("class", "class")],
)
def test_words_have_lemmas(word: str, expected: str) -> None:
    assert lemma(word) == expected


@pytest.mark.parametrize(
    ("one", "two"), [("buy", "purchase"), ("doctor", "physician"), ("film", "movie"), ("js", "javascript")]
)
def test_synonyms_mean_the_same(one: str, two: str) -> None:
    assert same_meaning(one, two)
    assert not opposite(one, two)


@pytest.mark.parametrize(
    ("one", "two"), [("open", "close"), ("secure", "insecure"), ("hopeful", "hopeless"), ("lock", "unlock")]
)
def test_opposites_are_known_in_both_directions(one: str, two: str) -> None:
    assert opposite(one, two)
    assert opposite(two, one)
    assert not same_meaning(one, two)


@pytest.mark.parametrize(("one", "two"), [("come", "income"), ("side", "inside"), ("form", "inform"), ("dog", "cat")])
def test_words_that_only_look_like_opposites_are_none(one: str, two: str) -> None:
    assert not opposite(one, two)


def test_a_word_is_derived_from_another() -> None:
    assert derived("migrate", "migration")
    assert not derived("internet", "internal")


def test_a_slip_of_the_fingers_is_no_other_word() -> None:
    assert slip("pasport", "passport")
    assert slip("recieve", "receive")
    assert not slip("form", "from")
    assert not slip("48213", "48231")


@pytest.mark.parametrize(
    ("text", "lemmas"),
    [
        ("What's new?", ["what", "be", "new"]),
        ("I can't pay", ["i", "can", "not", "pay"]),
        ("5km", ["5", "kilometre"]),
        ("$500k", ["500000", "usd"]),
        ("1,000.50", ["1000.50"]),
        ("Ann's dog", ["ann", "'s", "dog"]),
        ("C++ and C#", ["c++", "and", "c#"]),
        ("pet-friendly", ["pet", "friendly"]),
        ("go to U.S.", ["go", "to", "united_states"]),
        ("a -> b", ["a", "to", "b"]),
    ],
)
def test_text_is_told_into_tokens(text: str, lemmas: list[str]) -> None:
    assert [token.lemma for token in tokenise(text).all] == lemmas


def test_code_keeps_its_case() -> None:
    tokens = tokenise("call foo.Bar with --Force").all
    assert [token.lemma for token in tokens if token.kind is Kind.CODE] == ["foo.Bar", "--Force"]


def test_sentences_begin_where_the_last_one_ended() -> None:
    assert tokenise("I met Ann. Is she rich?").starts == {0, 3, 6}


def test_long_texts_are_not_analysed_without_end() -> None:
    tokens = tokenise("word " * (2 * MOST_TOKENS)).all
    assert len(tokens) == MOST_TOKENS + 1


def test_vectors_are_nearer_for_words_of_one_meaning() -> None:
    vectors = WordVectors.bundled()
    if vectors is None:
        pytest.skip("the model files are not installed")
    ((purchase, river),) = vectors.cosines(["buy"], ["purchase", "river"])
    assert purchase > river
    assert vectors.rarity("time") < vectors.rarity("photosynthesis") == 1
