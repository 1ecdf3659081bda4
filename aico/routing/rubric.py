"""How a model is asked for verdicts: a JSON document to judge, out of which nothing breaks, and one object back."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aico.core.chat import ChatRequest, JsonSchema, Message, Role
from aico.routing.models import Capability, Model

VERDICT_TOKENS = 1024  # that a judge may take, with what it thinks
_FENCED = re.compile(r"```(?:json)?\n([^`]*)\n```")


@dataclass(frozen=True, slots=True)
class Rubric:
    """What a judge is told, and the verdicts among which it chooses."""

    words: str
    verdicts: tuple[str, ...]

    def asks(self, judge: Model, document: Mapping[str, object], names: Sequence[str] = ()) -> ChatRequest:
        """The judge is held to the form of the verdict as well as it can be; with `names` to one under each of them."""
        form: dict[str, object] = {}
        if judge.can(Capability.SCHEMA):
            schema = _object({name: self._schema() for name in names}) if names else self._schema()
            form = {
                "response_format": "json_schema",
                "json_schema": JsonSchema(name="verdict", strict=True, schema_=schema),
            }
        elif judge.can(Capability.JSON):
            form = {"response_format": "json_object"}
        return ChatRequest.model_validate(
            {
                "model": judge.id,
                "messages": (
                    Message(role=Role.SYSTEM, content=self.words),
                    Message(role=Role.USER, content=json.dumps(document, ensure_ascii=False)),
                ),
                "max_tokens": min(VERDICT_TOKENS, judge.max_output),
                "temperature": 0,
                **form,
            }
        )

    def verdict_of(self, text: str) -> str | None:
        """None for all but the object that was asked for, on its own or in one code fence."""
        return self._verdict(_read(text))

    def verdicts_of(self, text: str, names: Sequence[str]) -> list[str | None]:
        """One for each name, out of one object: None where none was given in the form that was asked for.

        All are None where anything is said beside them: whoever adds a name, or gives one twice, is not to be trusted.
        """
        said = _read(text)
        if not isinstance(said, dict) or not said.keys() <= set(names):
            return [None] * len(names)
        return [self._verdict(said.get(name)) for name in names]

    def _verdict(self, said: object) -> str | None:
        if not isinstance(said, dict) or not {"verdict"} <= said.keys() <= {"verdict", "reason"}:
            return None
        verdict, reason = said["verdict"], said.get("reason", "")
        known = isinstance(verdict, str) and verdict in self.verdicts
        return verdict if known and isinstance(reason, str) else None

    def _schema(self) -> dict[str, object]:
        return _object({"reason": {"type": "string"}, "verdict": {"type": "string", "enum": list(self.verdicts)}})


def _object(properties: dict[str, object]) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _read(text: str) -> object:
    """None for what is no JSON, on its own or in one code fence, or says a thing twice."""
    fenced = _FENCED.fullmatch(text.strip())
    try:
        return json.loads(fenced[1] if fenced else text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found
