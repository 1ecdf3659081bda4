"""The file of a batch: every fault is named with its line before anything is sent."""

from pathlib import Path

import pytest
from cli.conftest import Aico, FakeApi

from aico.cli.prompt_lines import read_lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"prompt": "a"}\n\n{"prompt": \n', ":3: not JSON"),
        (b'{"prompt": "a"}\n{"text": "b"}\n', ":2: each line is an object"),
        (b'{"prompt": "a"}\n["b"]\n', ":2: each line is an object"),
        (b'{"prompt": "a"}\n"b"\n', ":2: each line is an object"),
        (b'{"id": "x", "prompt": "a"}\n{"id": "x", "prompt": "b"}\n', ":2: the id 'x' stands there twice"),
        (b'{"id": 2, "prompt": "a"}\n{"prompt": "b"}\n', ":2: the id '2' stands there twice"),
        (b'{"prompt": "a", "temperature": NaN}\n', ":1: NaN, infinity and half of a surrogate pair cannot be sent"),
        (b'{"prompt": "a", "seed": -Infinity}\n', ":1: NaN, infinity"),
        (b'{"prompt": "\\ud800"}\n', ":1: NaN, infinity and half of a surrogate pair"),
        (b'{"messages": [], "prompt": "a"}\n', ":1: give either `messages`, or `prompt`"),
        (b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}\n', ":1: a batch's line has"),
        (b'{"custom_id": "a", "method": "POST", "url": "/v1/x", "body": {}}\n', ":1: only lines for /v1/chat"),
        (b"", "holds no requests"),
        (b"\n \n", "holds no requests"),
        (b'{"prompt": "\xff"}\n', "is not UTF-8"),
    ],
)
def test_a_fault_is_named_and_nothing_is_sent(
    aico: Aico, fake_api: FakeApi, tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(content)
    outcome = aico("batch", str(file), "-o", "out.jsonl")
    assert outcome.code == 2
    assert "".join(message.split()) in "".join(outcome.err.split())  # a terminal's width breaks lines
    assert "Traceback" not in outcome.err
    assert fake_api.received == []
    assert not (tmp_path / "out.jsonl").exists()


def test_lines_keep_their_ids_and_the_rest_is_the_request(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(
        '{"id": "a", "prompt": "p", "max_tokens": 5, "relation": {"kind": "repeat"}}\n\n{"messages": []}\n', "utf-8"
    )
    named, numbered = read_lines(file)
    assert (named.id, named.request) == ("a", {"prompt": "p", "max_tokens": 5})
    assert (numbered.id, numbered.request) == ("3", {"messages": []})
