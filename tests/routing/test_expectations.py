"""What is reserved for a request: enough, for the dearest that may answer, and known without counting tokens."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from builders import chat

from aico.core.chat import ChatRequest
from aico.core.jobs import NO_CONTROLS, Controls
from aico.core.quotas import Expected
from aico.core.settings import Settings
from aico.routing import tokens
from aico.routing.catalogue import Catalogue
from aico.routing.expectations import Expectations
from aico.routing.prices import PriceBook

MODELS = """
[[models]]
id = "{name}"
provider = "local"
provider_model = "{name}"
quality = {quality}
context_window = 100000
max_output = 4000
capabilities = [{capabilities}]
"""
PRICE = """
[[prices]]
provider = "local"
model = "{name}"
from = 2020-01-01
input = {input}
output = {output}
"""
# Dollars per million tokens.
CATALOGUE = [
    {"name": "cheap", "quality": 0.2, "input": 1, "output": 1, "capabilities": ""},
    {"name": "reader", "quality": 0.5, "input": 100, "output": 2, "capabilities": ""},
    {"name": "writer", "quality": 0.6, "input": 10, "output": 100, "capabilities": '"choices"'},
    {"name": "secret", "quality": 0.9, "capabilities": ""},
]


@pytest.fixture
def expectations(settings: Settings, tmp_path: Path) -> Expectations:
    file = tmp_path / "models.toml"
    text = "".join(MODELS.format(**model) for model in CATALOGUE)
    text += "".join(PRICE.format(**model) for model in CATALOGUE if "input" in model)
    file.write_text(text)
    read = Catalogue.from_settings(settings.model_copy(update={"catalogue_file": file}))
    own = {model["name"] for model in CATALOGUE}
    catalogue = replace(read, all_models=tuple(model for model in read.all_models if model.id in own))
    return Expectations(catalogue, PriceBook(catalogue))


def asked(prompt: str, **fields: Any) -> ChatRequest:
    return chat(prompt).model_copy(update=fields)


def test_tokens_are_those_of_the_prompt_and_of_all_answers(expectations: Expectations) -> None:
    assert expectations.of(asked("x" * 400, max_tokens=50), NO_CONTROLS).tokens == 113 + 50
    assert expectations.of(asked("x" * 400), NO_CONTROLS).tokens == 113 + 400, "a usual answer"
    assert expectations.of(asked("x" * 400, max_tokens=50, n=3), NO_CONTROLS).tokens == 113 + 150
    assert expectations.of(asked("語" * 400, max_tokens=50), NO_CONTROLS).tokens == 313 + 50


def test_cents_are_those_of_the_dearest_that_may_answer(expectations: Expectations) -> None:
    long_prompt, long_answer = asked("x" * 40_000, max_tokens=1), asked("x", max_tokens=4000)
    assert expectations.of(long_prompt, NO_CONTROLS).cents == (10_013 * Decimal(100) + 2) / 10_000
    assert expectations.of(long_answer, NO_CONTROLS).cents == (14 * Decimal(10) + 4000 * 100) / 10_000
    several = asked("x" * 40_000, max_tokens=1, n=2)
    assert expectations.of(several, NO_CONTROLS).cents == (10_013 * Decimal(10) + 200) / 10_000, "the writer alone can"


def test_a_named_model_alone_where_no_other_may_answer(expectations: Expectations) -> None:
    request = asked("x" * 40_000, max_tokens=1, model="cheap")
    assert expectations.of(request, Controls(fallback=False)).cents == Decimal(10_014) / 10_000
    assert expectations.of(request, NO_CONTROLS).cents == (10_013 * Decimal(100) + 2) / 10_000
    better = asked("x" * 40_000, max_tokens=1, model="writer")
    assert expectations.of(better, NO_CONTROLS).cents == (10_013 * Decimal(10) + 100) / 10_000, "none is lower"


def test_what_the_caller_will_not_spend_is_not_reserved(expectations: Expectations) -> None:
    request = asked("x", max_tokens=4000)
    assert expectations.of(request, Controls(max_cost_cents=Decimal("0.5"))).cents == Decimal("0.5")


def test_an_unknown_price_counts_as_nothing(expectations: Expectations) -> None:
    request = asked("x", max_tokens=10, model="secret")
    assert expectations.of(request, NO_CONTROLS) == Expected(24, Decimal(0))


def test_no_vocabulary_is_loaded(expectations: Expectations, monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> None:
        raise AssertionError("this takes most of a second")

    monkeypatch.setattr(tokens, "_encoding", never)
    assert expectations.of(asked("x" * 4), NO_CONTROLS).tokens == 14 + 400
