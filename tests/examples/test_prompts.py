"""The demo's prompts: their format, and that they do what their README says under the models the demo runs."""

import asyncio
import json
import os
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from aico.caching.deciding import Decider, Known
from aico.core.chat import FinishReason, Message, Role
from aico.core.settings import Settings
from aico.embedded.local_model.__main__ import default_threads
from aico.embedded.local_model.batching import BatchingEngine
from aico.embedded.local_model.engine import Finished
from aico.embedded.local_model.engine import Prompt as ModelPrompt
from aico.embedded.local_model.model_files import prepare_model
from aico.embedding_service.factory import load_embedder
from aico.embedding_service.verification.comparison import Verifier
from aico.embedding_service.verification.vectors import WordVectors

EXAMPLES = Path(__file__).parents[2] / "examples"
LINES = (EXAMPLES / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
PROMPTS: list[dict[str, Any]] = [json.loads(line) for line in LINES]
BY_ID = {prompt["id"]: prompt for prompt in PROMPTS}
POSITION = {prompt["id"]: index for index, prompt in enumerate(PROMPTS)}
RELATED = [prompt for prompt in PROMPTS if "relation" in prompt]
TARGETS = {prompt["relation"]["of"] for prompt in RELATED}

MISSED_PARAPHRASES = {"p055", "p058", "p063"}
OTHER_NAMESPACE = {"p038"}
TRUNCATED = {"p018", "p023", "p035", "p038", "p041", "p052", "p053", "p059", "p064"}  # by the bundled local model

DEFAULTS = Settings.model_construct()  # whatever this machine's environment says

Vectors = dict[str, npt.NDArray[np.float32]]


def related(kind: str) -> list[dict[str, Any]]:
    return [prompt for prompt in RELATED if prompt["relation"]["kind"] == kind]


def original(prompt: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = BY_ID[prompt["relation"]["of"]]
    return found


def family(prompt: dict[str, Any]) -> str:
    """The id of the new line that this one is or comes back to."""
    found: str = prompt["relation"]["of"] if "relation" in prompt else prompt["id"]
    return found


def namespace(prompt: dict[str, Any]) -> tuple[str, int]:
    """All of the request but the prompt."""
    return prompt["system"], prompt["max_tokens"]


def test_ids_count_up_without_gaps() -> None:
    assert [prompt["id"] for prompt in PROMPTS] == [f"p{number:03d}" for number in range(1, 73)]


def test_lines_have_the_documented_fields() -> None:
    for line, prompt in zip(LINES, PROMPTS, strict=True):
        assert len(line) <= 1500
        assert prompt.keys() - {"relation"} == {"id", "prompt", "system", "max_tokens"}
        assert prompt["prompt"] == prompt["prompt"].strip() != ""
        assert prompt["system"].lower().endswith(("answer in one short sentence.", "reply with one short sentence."))
        assert prompt["max_tokens"] in {96, 128}


def test_counts_of_each_kind() -> None:
    kinds = Counter(prompt["relation"]["kind"] if "relation" in prompt else "new" for prompt in PROMPTS)
    assert kinds == {"new": 34, "repeat": 14, "paraphrase": 12, "near_miss": 12}
    assert len(TARGETS) == 27


@pytest.mark.parametrize("prompt", RELATED, ids=lambda prompt: prompt["id"])
def test_relations_point_far_enough_back_to_a_new_prompt(prompt: dict[str, Any]) -> None:
    assert set(prompt["relation"]) == {"kind", "of"}
    assert "relation" not in original(prompt)
    # Far enough behind that the first answer is there, so that it is the cache that is shown.
    assert POSITION[prompt["id"]] - POSITION[original(prompt)["id"]] >= 20


@pytest.mark.parametrize("prompt", RELATED, ids=lambda prompt: prompt["id"])
def test_relations_differ_only_in_what_their_kind_says(prompt: dict[str, Any]) -> None:
    same_prompt = prompt["prompt"].encode() == original(prompt)["prompt"].encode()
    same_namespace = namespace(prompt) == namespace(original(prompt))
    assert same_namespace == (prompt["id"] not in OTHER_NAMESPACE)
    assert same_prompt == (prompt["relation"]["kind"] == "repeat" or prompt["id"] in OTHER_NAMESPACE)


def test_only_repeats_are_sent_twice() -> None:
    requests = [(prompt["prompt"], namespace(prompt)) for prompt in PROMPTS if prompt not in related("repeat")]
    assert len(set(requests)) == len(requests)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Unit vectors of 384 numbers by id, as the product computes them."""
    found = load_embedder(DEFAULTS).embed([prompt["prompt"] for prompt in PROMPTS])
    return dict(zip(BY_ID, found, strict=True))


@pytest.fixture(scope="module")
def decider() -> Decider:
    return Decider(Verifier(WordVectors.bundled()))


@dataclass(frozen=True)
class Kept:
    question: str
    similarity: float
    group: int = 0
    compared: bool = True


@dataclass(frozen=True)
class Cache:
    """A new namespace of it."""

    vectors: Vectors
    decider: Decider

    def serves(self, prompt: dict[str, Any], kept: dict[str, Any]) -> bool:
        cosine = float(self.vectors[prompt["id"]] @ self.vectors[kept["id"]])
        if namespace(prompt) != namespace(kept) or cosine < DEFAULTS.similarity_threshold:
            return False
        near = [Kept(kept["prompt"], cosine)]
        decision = self.decider.decide(prompt["prompt"], near, Known(), DEFAULTS.cache_guards)
        return decision is not None and decision.served


@pytest.fixture(scope="module")
def cache(vectors: Vectors, decider: Decider) -> Cache:
    return Cache(vectors, decider)


def test_most_paraphrases_are_found_and_three_are_not(cache: Cache) -> None:
    missed = {prompt["id"] for prompt in related("paraphrase") if not cache.serves(prompt, original(prompt))}
    assert missed == MISSED_PARAPHRASES


def test_no_near_miss_is_served_the_others_answer(cache: Cache) -> None:
    assert [prompt["id"] for prompt in related("near_miss") if cache.serves(prompt, original(prompt))] == []


def test_prompts_that_have_nothing_to_do_with_each_other_stay_apart(cache: Cache) -> None:
    strangers = [pair for pair in combinations(PROMPTS, 2) if family(pair[0]) != family(pair[1])]
    assert [(one["id"], other["id"]) for one, other in strangers if cache.serves(one, other)] == []


def test_most_answers_end_by_themselves_so_that_there_is_something_to_hit() -> None:
    assert len(TARGETS - TRUNCATED) >= 0.85 * len(TARGETS)
    assert len(PROMPTS) - len(TRUNCATED) >= 0.7 * len(PROMPTS)
    for prompt in related("repeat"):
        assert (prompt["id"] in TRUNCATED) == (prompt["relation"]["of"] in TRUNCATED)


@pytest.mark.skipif("AICO_TEST_LOCAL_MODEL" not in os.environ, reason="AICO_TEST_LOCAL_MODEL asks for half a minute")
def test_the_local_model_truncates_what_the_readme_says(tmp_path: Path) -> None:
    engine = BatchingEngine(prepare_model(tmp_path), threads=default_threads(), on_failure=lambda: None)
    try:
        reasons = asyncio.run(finish_reasons(engine))
    finally:
        engine.close()
    assert {prompt for prompt, reason in reasons.items() if reason is FinishReason.LENGTH} == TRUNCATED


async def finish_reasons(engine: BatchingEngine) -> dict[str, FinishReason]:
    """By id, all prompts asked four at a time."""
    room = asyncio.Semaphore(4)

    async def ask(prompt: dict[str, Any]) -> FinishReason:
        roles = (Message(role=Role.SYSTEM, content=prompt["system"]), Message(role=Role.USER, content=prompt["prompt"]))
        async with room:
            *_, last = [event async for event in engine.answer(ModelPrompt(roles, prompt["max_tokens"]))]
        assert isinstance(last, Finished)
        return last.reason

    return dict(zip(BY_ID, await asyncio.gather(*map(ask, PROMPTS)), strict=True))
