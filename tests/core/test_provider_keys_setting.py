"""Several keys of the operator's for one provider."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from aico.core.errors import InvalidInput
from aico.core.provider_secrets import WeightedKey, weighted_keys
from aico.core.settings import Settings, checked
from aico.routing.providers.credential import operator_keys, operators_of
from aico.routing.providers.profiles import PROFILE_BY_NAME

OPENAI = PROFILE_BY_NAME["openai"]
Make = Callable[..., Settings]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return lambda **values: checked(lambda: Settings(_env_file=None, **values))  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("sk-first-1", [("sk-first-1", 1)]),
        ("3:sk-first-1, sk-second-2 ,", [("sk-first-1", 3), ("sk-second-2", 1)]),
        ("house:credential", [("house:credential", 1)]),  # a colon alone makes no weight
        ("2:house:credential", [("house:credential", 2)]),
        ("", []),
    ],
)
def test_keys_come_by_commas_with_weights_or_without(text: str, keys: list[tuple[str, int]]) -> None:
    assert weighted_keys(text) == tuple(WeightedKey(SecretStr(key), weight) for key, weight in keys)


@pytest.mark.parametrize(
    "text", ["0:sk-first-1", "101:sk-first-1", "9999999999:sk-first-1", "sk", "3:", "sk one two 3"]
)
def test_what_is_no_list_of_keys_stops_the_start_without_being_told(make: Make, text: str) -> None:
    with pytest.raises(InvalidInput, match="OPENAI_API_KEYS") as caught:
        make(openai_api_keys=text)
    assert "sk-first" not in str(caught.value)


def test_the_first_key_comes_first_and_the_list_may_give_it_a_weight(make: Make) -> None:
    settings = make(openai_api_key="sk-first-1", openai_api_keys="sk-second-2,5:sk-first-1")
    assert [(key.api_key.get_secret_value(), key.weight) for key in OPENAI.api_keys(settings)] == [
        ("sk-first-1", 5),
        ("sk-second-2", 1),
    ]
    assert OPENAI.api_key(settings) == SecretStr("sk-first-1")


def test_a_list_alone_switches_its_provider_on(make: Make) -> None:
    settings = make(openai_api_keys="sk-second-2")
    assert OPENAI.configured(settings)
    assert set(operator_keys(settings)) == {"openai"}


def test_a_key_is_known_by_an_id_that_is_the_same_everywhere_and_says_nothing_of_it(make: Make) -> None:
    first, second = operators_of(OPENAI, make(openai_api_keys="sk-first-1,sk-second-2"))
    assert operators_of(OPENAI, make(openai_api_key="sk-second-2")) == (second,)
    assert first.id != second.id
    elsewhere = PROFILE_BY_NAME["cerebras"]
    assert operators_of(elsewhere, make(cerebras_api_key="sk-first-1"))[0].id != first.id
    assert "sk-first" not in repr(first)
