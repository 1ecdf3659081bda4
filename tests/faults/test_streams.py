"""Somebody reads an answer as a stream while a part of the product dies."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest
from faults.slow_provider import WORDS, Scene

pytestmark = pytest.mark.timeout(240)
QUESTION: list[Any] = [{"role": "user", "content": "Say sixty words."}]
PATH = "/v1/chat/completions"
READERS = 4


@pytest.fixture(autouse=True)
def anew(scene: Scene) -> None:
    scene.provider.calls, scene.provider.fickle = 0, False


def read(scene: Scene, kill: Callable[[], object]) -> tuple[str, str]:
    """The completion's id, and the text that arrived; `kill` is called after the tenth word."""
    said, completion, killed = "", "", False
    stream = scene.asking.chat.completions.create(
        model="slow", messages=QUESTION, stream=True, extra_body={"aico": {"cache": "off"}}
    )
    try:
        for chunk in stream:
            completion = chunk.id
            said += (chunk.choices[0].delta.content or "") if chunk.choices else ""
            if not killed and said.count("word") >= 10:
                killed = True
                kill()
    except openai.APIError as error:
        assert error.code == "stream_interrupted"  # noqa: PT017 - what came before matters
    return completion, said


@pytest.mark.parametrize("part", ["route", "valkey", "sweep", "postgres"])
def test_the_stream_goes_on_when_a_part_dies(scene: Scene, part: str) -> None:
    """Another worker repeats what was said; what Redis loses comes with the end."""
    completion, said = read(scene, lambda: scene.product.part(part).kill())
    assert said == "".join(WORDS)
    # Where Postgres is away for longer than a lease, a job may be taken over although its worker lives.
    assert scene.provider.calls in {"route": {2}, "postgres": {1, 2}}.get(part, {1})
    answer = scene.asking.chat.completions.retrieve(completion)
    assert answer.choices[0].message.content == said


def test_an_answer_in_other_words_ends_the_stream_and_is_kept(scene: Scene) -> None:
    scene.provider.fickle = True
    completion, said = read(scene, lambda: scene.product.part("route").kill())
    assert said.startswith("1-word0 ")
    assert "2-word" not in said
    answer = scene.asking.chat.completions.retrieve(completion)
    assert answer.choices[0].message.content == "".join(f"2-{word}" for word in WORDS)


def test_a_reader_whose_api_died_reads_on_where_it_was(scene: Scene) -> None:
    headers = {"Authorization": f"Bearer {scene.product.key}"}
    with httpx2.Client(base_url=scene.product.url, headers=headers, timeout=30) as http:
        reader = Reader(scene, http)
        with pytest.raises(httpx2.TransportError):
            reader.begin()
        assert 0 < len(reader.said) < len("".join(WORDS))
        reader.go_on()
    assert reader.said == "".join(WORDS)
    assert scene.provider.calls == 1


def test_several_who_read_the_same_answer_hear_one_call(scene: Scene) -> None:
    """Each hears its words as they are said, not in the end; and the leader's worker dies amid them."""
    amid = threading.Barrier(READERS + 1)

    def hear() -> str:
        said, waited = "", False
        for chunk in scene.asking.chat.completions.create(
            model="slow", messages=QUESTION, stream=True, extra_body={"aico": {"cache": "exact"}}
        ):
            said += "".join(choice.delta.content or "" for choice in chunk.choices)
            if not waited and said.count("word") >= 10:
                waited = True
                amid.wait(30)
        return said

    with ThreadPoolExecutor(READERS) as pool:
        hearing = [pool.submit(hear) for _ in range(READERS)]
        amid.wait(30)
        assert scene.provider.calls == 1
        scene.product.part("route").kill()
        heard = [one.result() for one in hearing]
    assert heard == ["".join(WORDS)] * READERS
    assert scene.provider.calls == 2


class Reader:
    """Reads events as they are, and remembers the last one's number."""

    def __init__(self, scene: Scene, http: httpx2.Client) -> None:
        self._product = scene.product
        self._http = http
        self._completion = ""
        self._last = "0"
        self.said = ""

    def begin(self) -> None:
        """Until the API dies, which it does after the tenth word."""
        body = {"model": "slow", "messages": QUESTION, "stream": True, "aico": {"cache": "off"}}
        with self._http.stream("POST", PATH, json=body) as response:
            for line in response.raise_for_status().iter_lines():
                self._read(line)
                if line.startswith("data") and self.said.count("word") == 10:
                    self._product.part("api").kill()

    def go_on(self) -> None:
        """As soon as there is an API again."""
        where = {"stream": "true", "starting_after": self._last}
        give_up = time.monotonic() + 30
        while time.monotonic() < give_up:
            try:
                with self._http.stream("GET", f"{PATH}/{self._completion}", params=where) as response:
                    for line in response.iter_lines():
                        self._read(line)
            except httpx2.TransportError:
                time.sleep(0.1)
            else:
                return
        pytest.fail("the API did not come back")

    def _read(self, line: str) -> None:
        if line.startswith("id: "):
            self._last = line.removeprefix("id: ")
        elif line.startswith("data: {"):
            chunk = json.loads(line.removeprefix("data: "))
            self._completion = chunk["id"]
            self.said += "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
