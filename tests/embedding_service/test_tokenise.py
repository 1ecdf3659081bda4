import numpy as np
import pytest
from tokenizers import Tokenizer

from aico.core.embedding import BUNDLED_MAX_TOKENS, DIMENSIONS
from aico.core.errors import InvalidInput
from aico.embedding_service.model_files import bundled_model_dir, read_shape, tokenizer_file
from aico.embedding_service.tokenise import HEAD_CHARACTERS, Tokeniser

CLS, SEP = 101, 102


@pytest.fixture(scope="module")
def plain() -> Tokenizer:
    """The library's own truncation of the whole text, to compare with."""
    folder = bundled_model_dir()
    assert folder is not None
    tokenizer = Tokenizer.from_file(str(tokenizer_file(folder)))
    tokenizer.enable_truncation(read_shape(folder).max_tokens)
    tokenizer.no_padding()
    return tokenizer


@pytest.fixture(scope="module")
def tokeniser(plain: Tokenizer) -> Tokeniser:
    return Tokeniser(Tokenizer.from_str(plain.to_str()), max_tokens=256)


def test_agrees_with_the_library_on_every_text(tokeniser: Tokeniser, plain: Tokenizer, texts: list[str]) -> None:
    assert tokeniser.encode(texts) == [plain.encode(text).ids for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "a few words, " * 4000,  # the head fills the limit
        "x" * 4 * HEAD_CHARACTERS,  # nowhere to cut
        "word" + " " * 2 * HEAD_CHARACTERS + "other",  # the head fills almost nothing
        "é" * 90 + " " + "\u0301 accent on a space " * 1000,
        "z" * (HEAD_CHARACTERS - 1) + " tail " * 900,  # the cut leaves one unknown word
    ],
    ids=["prose", "one word", "spaces", "combining marks", "late space"],
)
def test_a_long_text_is_cut_without_changing_its_tokens(tokeniser: Tokeniser, plain: Tokenizer, text: str) -> None:
    assert len(text) > HEAD_CHARACTERS
    assert tokeniser.encode([text]) == [plain.encode(text).ids]


def test_a_long_text_is_cut_at_the_models_limit(tokeniser: Tokeniser) -> None:
    [ids] = tokeniser.encode(["many words " * 1000])
    assert (len(ids), ids[0], ids[-1]) == (256, CLS, SEP)


@pytest.mark.parametrize("text", ["many words " * 127, "word" + " " * 2 * HEAD_CHARACTERS + "other", ""])
def test_a_text_that_is_wholly_read_is_counted_with_its_special_tokens(
    tokeniser: Tokeniser, plain: Tokenizer, text: str
) -> None:
    assert tokeniser.count(text) == len(plain.encode(text).ids)


@pytest.mark.parametrize("text", ["many words " * 128, "word" + " " * 2 * HEAD_CHARACTERS + "other " * 300])
def test_a_text_of_which_something_is_cut_off_has_no_count(tokeniser: Tokeniser, text: str) -> None:
    assert tokeniser.count(text) is None


def test_the_limit_that_other_parts_name_is_the_models_own() -> None:
    folder = bundled_model_dir()
    assert folder is not None
    shape = read_shape(folder)
    assert (shape.max_tokens, shape.hidden) == (BUNDLED_MAX_TOKENS, DIMENSIONS)


def test_an_empty_text_has_its_special_tokens(tokeniser: Tokeniser) -> None:
    assert tokeniser.encode([""]) == [[CLS, SEP]]


def test_padding_reaches_the_longest_text_only(tokeniser: Tokeniser) -> None:
    batch = tokeniser.pad([[CLS, 7, SEP], [CLS, SEP]])
    np.testing.assert_array_equal(batch.ids, [[CLS, 7, SEP], [CLS, SEP, 0]])
    np.testing.assert_array_equal(batch.mask, [[1, 1, 1], [1, 1, 0]])


def test_an_unpaired_surrogate_is_refused_with_its_place(tokeniser: Tokeniser) -> None:
    with pytest.raises(InvalidInput, match="text 1 has an unpaired surrogate at character 3") as caught:
        tokeniser.encode(["fine", "abc\ud800"])
    assert caught.value.param == "$[1]"
