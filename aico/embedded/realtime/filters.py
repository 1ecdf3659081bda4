"""The filters of postgres_changes: `column=operator.value`, several by commas, all of which must hold."""

from collections.abc import Iterator
from dataclasses import dataclass

from aico.core.errors import InvalidInput

MAX_LENGTH = 2000
_MAX_CONDITIONS = 20

COMPARISONS = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
PATTERNS = {"like": "like", "ilike": "ilike", "match": "~", "imatch": "~*"}
STATES = frozenset({"null", "true", "false", "unknown"})
_OPERATORS = {*COMPARISONS, *PATTERNS, "in", "is", "isdistinct"}
_NOT = "not."


@dataclass(frozen=True, slots=True)
class Condition:
    column: str
    operator: str
    value: str  # of `in` an array as Postgres writes it
    negated: bool = False


Filter = tuple[Condition, ...]


def parse_filter(text: str) -> Filter:
    """Raises InvalidInput."""
    if len(text) > MAX_LENGTH or "\0" in text:
        raise InvalidInput(f"Error parsing `filter` params: it has at most {MAX_LENGTH} characters, and no NUL")
    if not text.strip():
        return ()
    found = tuple(_condition(part.strip()) for part in _parts(text.strip()))
    if len(found) > _MAX_CONDITIONS:
        raise InvalidInput(f"Error parsing `filter` params: at most {_MAX_CONDITIONS} conditions")
    return found


def _parts(text: str) -> Iterator[str]:
    """At commas that are neither in parentheses nor in quotes. Quotes begin a value or a member of a list."""
    depth, quoted, start, escaped = 0, False, 0, False
    for place, character in enumerate(text):
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"' and text[place - 1] in ".(,":
            quoted = True
        elif character in "()":
            depth = max(0, depth + (1 if character == "(" else -1))
        elif character == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def _condition(text: str) -> Condition:
    column, equals, rest = text.partition("=")
    negated = rest.startswith(_NOT)
    operator, dot, value = rest.removeprefix(_NOT).partition(".")
    if not (column and equals and dot) or operator not in _OPERATORS:
        raise InvalidInput(f"Error parsing `filter` params: {text!r} is not column=operator.value")
    if operator == "in":
        if not (value.startswith("(") and value.endswith(")")) or len(value) == 1:
            raise InvalidInput("Error parsing `filter` params: `in` filter value must be wrapped by parentheses")
        value = "{" + value[1:-1] + "}"
    else:
        value = _unquoted(value)
    if operator == "is" and value.lower() not in STATES:
        raise InvalidInput("Error parsing `filter` params: `is` takes null, true, false or unknown")
    return Condition(column, operator, value, negated)


def _unquoted(value: str) -> str:
    """What is within quotes; a value that is not quoted as a whole is as it stands."""
    if not value.startswith('"'):
        return value
    inner, escaped = [], False
    for place, character in enumerate(value[1:], 1):
        if escaped or character not in '"\\':
            inner.append(character)
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            return "".join(inner) if place == len(value) - 1 else value
    return value
