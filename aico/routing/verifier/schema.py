"""Whether a value follows a JSON schema: the part of the language that structured answers and tools make use of.

Checked are types, `enum`, `const`, `required`, `properties`, `additionalProperties`, `items`, `prefixItems`, `anyOf`,
`oneOf`, `allOf`, references within the schema, and the limits of numbers, lengths and counts. Anything else, patterns
above all, counts as followed: callers write them, and no regular expression of theirs is run here. The work is
bounded, and what goes beyond the bound counts as followed too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

MOST_STEPS = 20_000  # pairs of a value and a schema that are compared
_MOST_DEPTH = 64
_LISTED = ("enum", "required", "type", "$ref")  # what takes time by its length, each time that it is looked at
_IN_A_STEP = 32  # entries or characters

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())
    ),
}
_NUMBER_LIMITS: Mapping[str, Callable[[float, float], bool]] = {
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "exclusiveMinimum": lambda value, limit: value > limit,
    "exclusiveMaximum": lambda value, limit: value < limit,
}
_SIZES: Mapping[type, tuple[str, str]] = {
    str: ("minLength", "maxLength"),
    list: ("minItems", "maxItems"),
    dict: ("minProperties", "maxProperties"),
}


def violation(value: object, schema: Mapping[str, Any]) -> str | None:
    """The first that is found, said in words; None where there is none."""
    return next(Comparison(schema).violations(value, schema, "the answer", 0), None)


class Comparison:
    """Of one value with one schema. `steps` counts the work."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self.steps = 0

    def violations(self, value: Any, schema: Any, at: str, depth: int) -> Iterator[str]:
        self.steps += 1
        if self.steps > MOST_STEPS or depth > _MOST_DEPTH:
            return
        if schema is False:
            yield f"{at} must not be there"
        if not isinstance(schema, Mapping):
            return
        self.steps += sum(map(_length, map(schema.get, _LISTED))) // _IN_A_STEP
        if "$ref" in schema:
            yield from self.violations(value, self._referred(schema["$ref"]), at, depth + 1)
        yield from _plain(value, schema, at)
        if isinstance(value, dict):
            yield from self._of_object(value, schema, at, depth)
        if isinstance(value, list):
            yield from self._of_list(value, schema, at, depth)
        yield from self._of_alternatives(value, schema, at, depth)

    def _of_object(self, value: dict[str, Any], schema: Mapping[str, Any], at: str, depth: int) -> Iterator[str]:
        properties = _mapping(schema.get("properties"))
        for name in _sequence(schema.get("required")):
            if name not in value:
                yield f"{at} lacks {name!r}"
        others = schema.get("additionalProperties", True)
        for name, inner in value.items():
            if name in properties:
                yield from self.violations(inner, properties[name], f"{at}.{name[:40]}", depth + 1)
            elif others is False and "patternProperties" not in schema:
                yield f"{at} has {name[:40]!r}, which the schema does not know"
            elif isinstance(others, Mapping):
                yield from self.violations(inner, others, f"{at}.{name[:40]}", depth + 1)

    def _of_list(self, value: list[Any], schema: Mapping[str, Any], at: str, depth: int) -> Iterator[str]:
        first = _sequence(schema.get("prefixItems"))
        for index, (inner, one) in enumerate(zip(value, first, strict=False)):
            yield from self.violations(inner, one, f"{at}[{index}]", depth + 1)
        if "items" in schema:
            for index, inner in enumerate(value[len(first) :], len(first)):
                if self.steps > MOST_STEPS:
                    return
                yield from self.violations(inner, schema["items"], f"{at}[{index}]", depth + 1)

    def _of_alternatives(self, value: object, schema: Mapping[str, Any], at: str, depth: int) -> Iterator[str]:
        for one in _sequence(schema.get("allOf")):
            yield from self.violations(value, one, at, depth + 1)
        for keyword in ("anyOf", "oneOf"):
            options = _sequence(schema.get(keyword))
            if options and all(next(self.violations(value, one, at, depth + 1), None) for one in options):
                yield f"{at} is none of what it may be"

    def _referred(self, reference: object) -> object:
        """The part of the schema that `#/a/b` names; everything is allowed by what it does not hold."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return True
        found: object = self._root
        for step in reference[1:].strip("/").split("/")[:_MOST_DEPTH]:
            if step:
                found = _mapping(found).get(step.replace("~1", "/").replace("~0", "~"), True)
        return found


def _plain(value: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    wanted = schema.get("type")
    types = [wanted] if isinstance(wanted, str) else _sequence(wanted)
    if types and not any(_TYPES[one](value) for one in types if one in _TYPES):
        yield f"{at} is not of type {' or '.join(str(one) for one in types)}"
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{at} is not the only value allowed"
    if "enum" in schema and not any(_same(value, one) for one in _sequence(schema["enum"])):
        yield f"{at} is none of the values allowed"
    if _TYPES["number"](value):
        for keyword, keeps in _NUMBER_LIMITS.items():
            if _TYPES["number"](schema.get(keyword)) and not keeps(value, schema[keyword]):
                yield f"{at} is beyond its {keyword}"
    least, most = _SIZES.get(type(value), ("", ""))
    if _TYPES["integer"](schema.get(least)) and len(value) < schema[least]:
        yield f"{at} is shorter than its {least}"
    if _TYPES["integer"](schema.get(most)) and len(value) > schema[most]:
        yield f"{at} is longer than its {most}"


def _length(found: object) -> int:
    return len(found) if isinstance(found, list | tuple | str) else 0


def _same(value: object, other: object) -> bool:
    """True is not 1 in JSON."""
    return isinstance(value, bool) is isinstance(other, bool) and value == other


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _sequence(found: object) -> Sequence[Any]:
    return found if isinstance(found, list | tuple) else ()
