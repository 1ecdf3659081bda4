import json

from hypothesis import given
from hypothesis import strategies as st

from aico.wire import sse


@given(st.text())
def test_whatever_is_said_stays_on_one_line(text: str) -> None:
    written = sse.event({"text": text}, name="text", number=7).decode()
    name, number, data, *end = written.split("\n")
    assert (name, number, end) == ("event: text", "id: 7", ["", ""])
    assert json.loads(data.removeprefix("data: ")) == {"text": text}
