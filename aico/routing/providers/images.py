"""Pictures of a request, which formats take in different shapes."""

import re
from typing import NamedTuple

_DATA_URL = re.compile(r"data:(?P<media_type>[\w.+-]+/[\w.+-]+)(?:;[^;,]*)*;base64,(?P<data>.*)", re.DOTALL)


class InlineImage(NamedTuple):
    media_type: str
    data: str  # base64


def inline_image(url: str) -> InlineImage | None:
    """What a data: URL holds, or None where the picture lies elsewhere."""
    found = _DATA_URL.fullmatch(url)
    return InlineImage(found["media_type"], found["data"]) if found is not None else None
