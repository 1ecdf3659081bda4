"""Whole answers as providers send them, each with the tokens and the US cents that it must become.

The payloads have the shapes that providers document; the figures were worked out by hand from their price lists.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest

from aico.core.chat import Completion
from aico.core.settings import Settings
from aico.core.usage import Usage
from aico.routing.catalogue import Catalogue
from aico.routing.prices import PriceBook
from aico.routing.providers.anthropic_messages import AnthropicMessages
from aico.routing.providers.batches.lines import read_answer
from aico.routing.providers.gemini_generate import GeminiGenerate
from aico.routing.providers.openai_chat import OpenAIChat
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.wire import Wire

AT = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
BOOK = PriceBook(Catalogue.from_settings(Settings.model_construct()))
WIRES: dict[str, Wire] = {
    "openai_chat": OpenAIChat(),
    "anthropic_messages": AnthropicMessages(),
    "gemini_generate": GeminiGenerate(),
}
CASES: list[dict[str, Any]] = [
    case
    for file in sorted((Path(__file__).parent / "golden").glob("*.json"))
    for case in json.loads(file.read_text("utf-8"))
]
COMPARED = [case for case in CASES if "genai_prices" in case]


def named(case: dict[str, Any]) -> str:
    return f"{case['provider']}: {case['what']}"


def metered(case: dict[str, Any]) -> Usage:
    wire, body = WIRES[PROFILE_BY_NAME[case["provider"]].wire], case["answer"]
    answer = read_answer(wire, body) if case.get("batch") else wire.parse_response(json.dumps(body).encode())
    assert isinstance(answer, Completion)
    return answer.usage


def ours_in_their_terms(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input_total,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "output_tokens": usage.output,
        "output_reasoning_tokens": usage.reasoning,
    }


@pytest.mark.parametrize("case", CASES, ids=named)
def test_an_answer_becomes_these_tokens(case: dict[str, Any]) -> None:
    usage = metered(case)
    assert usage == Usage(**case["usage"], raw=usage.raw)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_what_the_provider_said_is_kept_whole(case: dict[str, Any]) -> None:
    said = case["answer"].get("usage") or case["answer"].get("usageMetadata") or None
    kept = metered(case).raw
    assert (kept or {}).items() >= (said or {}).items()


@pytest.mark.parametrize("case", CASES, ids=named)
def test_an_answer_costs_this_much(case: dict[str, Any]) -> None:
    price = BOOK.cost_cents(case["provider"], case["model"], metered(case), AT)
    assert (None if price is None else price.cents) == (None if case["cents"] is None else Decimal(case["cents"]))


@pytest.mark.parametrize("case", COMPARED, ids=named)
def test_genai_prices_reads_the_same_tokens_but_where_it_is_noted(case: dict[str, Any]) -> None:
    provider = PROFILE_BY_NAME[case["provider"]].prices_id
    assert provider is not None
    theirs = genai_prices.extract_usage(case["answer"], provider_id=provider, api_flavor=case["genai_prices"]).usage
    ours = ours_in_their_terms(metered(case))
    different = {name for name, count in ours.items() if count != (getattr(theirs, name, None) or 0)}
    assert different == set(case.get("differs", {}))
