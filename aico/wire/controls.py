"""What OpenAI's formats have no field for: `x-aico-…` headers, or an object `aico` in the body, whose fields win."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from aico.core.errors import InvalidInput
from aico.core.inputs import ControlFields

_PREFIX = "x-aico-"
_LISTS = {"tags"}
_DUE = {"deadline", "completion_window"}
_FIELDS = {field.alias or name for name, field in ControlFields.model_fields.items()}
CONTROL_HEADERS = tuple(sorted(_PREFIX + field.replace("_", "-") for field in _FIELDS))


def control_fields(headers: Iterable[tuple[str, str]], body: ControlFields | None) -> ControlFields:
    """Raises InvalidInput that names the header that is not right. Names of `headers` are in lower case."""
    said: dict[str, Any] = dict(_said(headers))
    given = {} if body is None else body.model_dump(by_alias=True, exclude_unset=True)
    if _DUE & given.keys():  # one excludes the other
        said = {name: value for name, value in said.items() if name not in _DUE}
    if not said:
        return body or ControlFields()
    try:
        return ControlFields.model_validate({**said, **given})
    except ValidationError as error:
        fault = error.errors()[0]
        named = str(fault["loc"][0]) if fault["loc"] else "completion_window"
        header = _PREFIX + named.replace("_", "-")
        raise InvalidInput(f"{header}: {fault['msg']}", param=header) from error


def _said(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str | list[str]]]:
    for name, value in headers:
        if not name.startswith(_PREFIX):
            continue
        field = name.removeprefix(_PREFIX).replace("-", "_")
        if field not in _FIELDS:
            raise InvalidInput(f"there is no control {name}; there are {', '.join(CONTROL_HEADERS)}", param=name)
        yield field, [part.strip() for part in value.split(",") if part.strip()] if field in _LISTS else value.strip()
