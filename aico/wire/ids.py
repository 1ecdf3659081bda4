"""Ids as OpenAI's clients know them: a prefix that says what it is, then the row's UUID in hexadecimal."""

from enum import StrEnum
from uuid import UUID

_HEX = 32


class Prefix(StrEnum):
    COMPLETION = "chatcmpl-"
    RESPONSE = "resp_"
    MESSAGE = "msg_"
    FUNCTION_CALL = "fc_"
    FUNCTION_OUTPUT = "fco_"
    FILE = "file-"
    BATCH = "batch_"
    BATCH_LINE = "batch_req_"
    REQUEST = "req_"


def public_id(prefix: Prefix, row: UUID) -> str:
    return f"{prefix}{row.hex}"


def row_id(prefix: Prefix, text: str) -> UUID | None:
    """The row of an id with this prefix; None for what is no such id."""
    digits = text.removeprefix(prefix)
    if len(digits) != _HEX or len(text) != len(prefix) + _HEX:
        return None
    try:
        return UUID(hex=digits)
    except ValueError:
        return None
