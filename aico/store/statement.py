"""A statement is SQL with its parameters and the way to read its rows. It does no I/O: the two runners execute it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Row = dict[str, Any]

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement(Generic[T]):
    sql: str
    params: Mapping[str, Any]
    parse: Callable[[Row], T]


@cache
def named_sql(noun: str) -> Mapping[str, str]:
    """The statements of `<noun>.sql` beside this module, by the name in the comment above each."""
    parts = _NAME.split(files(__package__).joinpath(f"{noun}.sql").read_text())
    return dict(zip(parts[1::2], (body.strip() for body in parts[2::2]), strict=True))


def no_row(_: Row) -> None:
    """For statements that return nothing."""
