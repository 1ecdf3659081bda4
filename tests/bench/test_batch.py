"""The large batch's own parts: lines that the service takes, and names of processes."""

from pathlib import Path

import pytest

from aico.wire.batch_endpoints import ENDPOINTS
from aico.wire.batch_lines import read_line
from bench.batch import ENDPOINT, _name, write_lines
from bench.mock_provider import model_name


def test_its_lines_are_requests_of_which_so_many_differ(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    write_lines(path, lines=10, different=4, cache="exact")
    lines = [read_line(data, number, ENDPOINT) for number, data in enumerate(path.read_bytes().splitlines(), 1)]
    assert [line.custom_id for line in lines] == [f"line-{number}" for number in range(10)]
    asked = [ENDPOINTS[ENDPOINT].read(line.body) for line in lines]
    assert len({one.chat.messages[-1].text for one in asked}) == 4
    assert {one.chat.model for one in asked} == {model_name(0)}


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["python", "-m", "aico.cli.main", "worker", "batch"], "batch"),
        (["python", "-m", "aico.cli.main", "serve"], "serve"),
        (["/opt/bin/postgres", "-D", "x"], "postgres"),
    ],
)
def test_a_process_is_named_by_what_it_does(command: list[str], name: str) -> None:
    assert _name(command) == name
