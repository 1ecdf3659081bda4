"""A value that fits a JSON schema, always the same one for the same schema."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

_DEEPEST = 20  # beyond it only a schema goes that no finite value fits
_LONGEST = 1000  # characters or items, however many the schema asks for
_WORD = "simulated"
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")


def sample(schema: Mapping[str, Any]) -> Any:
    """The required properties and no others. Of what a schema can say, types, bounds and fixed values are seen."""
    return _value(schema, schema, _DEEPEST)


def _value(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth == 0:
        return None
    fixed = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(fixed, list) and fixed:
        return fixed[0]
    narrower = _narrower(schema, root)
    if narrower is not None:
        return _value(narrower, root, depth - 1)
    make = _MAKERS.get(_type(schema))
    return None if make is None else make(schema, root, depth - 1)


def _narrower(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """The schema that this one refers to, or the first of its alternatives."""
    if isinstance(schema.get("$ref"), str):
        return _resolved(schema["$ref"], root)
    options: list[Any] = next((schema[key] for key in _ALTERNATIVES if isinstance(schema.get(key), list)), [])
    return options[0] if options else None


def _resolved(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for step in reference.removeprefix("#").split("/")[1:]:
        found = found.get(step, {}) if isinstance(found, Mapping) else {}
    return found


def _type(schema: Mapping[str, Any]) -> str:
    stated = schema.get("type")
    if isinstance(stated, list):
        stated = next((one for one in stated if one != "null"), None)
    return str(stated or ("object" if "properties" in schema else "null"))


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    properties, required = schema.get("properties"), schema.get("required")
    known = properties if isinstance(properties, Mapping) else {}
    names = required if isinstance(required, list) else []
    return {str(name): _value(known.get(str(name)), root, depth) for name in names}


def _array(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> list[Any]:
    return [_value(schema.get("items"), root, depth) for _ in range(_size(schema, "minItems", 0))]


def _string(schema: Mapping[str, Any], _root: Mapping[str, Any], _depth: int) -> str:
    return _WORD.ljust(_size(schema, "minLength", 0), ".")[: _size(schema, "maxLength", _LONGEST)]


def _number(schema: Mapping[str, Any], _root: Mapping[str, Any], _depth: int) -> float:
    lowest = max(_bound(schema, "minimum", 1), _bound(schema, "exclusiveMinimum", 0) + 1)
    return min(lowest, _bound(schema, "maximum", lowest), _bound(schema, "exclusiveMaximum", lowest + 1) - 1)


def _boolean(_schema: Mapping[str, Any], _root: Mapping[str, Any], _depth: int) -> bool:
    return True


def _bound(schema: Mapping[str, Any], key: str, otherwise: float) -> float:
    value = schema.get(key)
    return value if isinstance(value, int | float) and math.isfinite(value) else otherwise


def _size(schema: Mapping[str, Any], key: str, otherwise: int) -> int:
    return max(0, min(int(_bound(schema, key, otherwise)), _LONGEST))


_MAKERS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], int], Any]] = MappingProxyType(
    {
        "object": _object,
        "array": _array,
        "string": _string,
        "integer": _number,
        "number": _number,
        "boolean": _boolean,
    }
)
