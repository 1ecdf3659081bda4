"""Which program wrote a line, and the call in it."""

from collections.abc import Callable, Mapping
from enum import StrEnum

import pydantic_core

from aico.audit.calls import LateResult, LoggedCall, NotReadable
from aico.audit.formats import langfuse, litellm, openai
from aico.audit.lenient import Json, name_of


class Format(StrEnum):
    OPENAI = "openai"
    LITELLM = "litellm"
    LANGFUSE = "langfuse"


_READERS: Mapping[Format, Callable[[Json], LoggedCall | LateResult]] = {
    Format.OPENAI: openai.read,
    Format.LITELLM: litellm.read,
    Format.LANGFUSE: langfuse.read,
}
_LITELLM = {"call_type", "response_cost", "standard_logging_object", "spend"}
_OPENAI = {"custom_id", "request", "messages", "choices", "prompt"}
_BOM = b"\xef\xbb\xbf"


def format_of(fields: Json) -> Format:
    """By the fields that only one of them has. Raises NotReadable for none."""
    if fields.keys() & _LITELLM:
        return Format.LITELLM
    traced = {"traceId", "trace_id"} & fields.keys()
    if name_of(fields.get("type")) in langfuse.TYPES or (traced and "input" in fields):
        return Format.LANGFUSE
    if fields.keys() & _OPENAI or {"input", "model"} <= fields.keys():
        return Format.OPENAI
    raise NotReadable("the line is in no format that is known")


def read_line(data: bytes, named: Format | None = None) -> tuple[Format, LoggedCall | LateResult]:
    """Raises NotReadable and SetAside, which say why without words of the line."""
    try:
        fields = pydantic_core.from_json(data.removeprefix(_BOM), allow_inf_nan=False)
    except ValueError as error:
        raise NotReadable(f"not JSON: {_without_words(error)}") from error
    if isinstance(fields, list):
        raise NotReadable("a list: one object a line is needed")
    if not isinstance(fields, dict):
        raise NotReadable("the line is no JSON object")
    chosen = named or format_of(fields)
    return chosen, _READERS[chosen](fields)


def _without_words(error: ValueError) -> str:
    return str(error).partition(" at line ")[0]
