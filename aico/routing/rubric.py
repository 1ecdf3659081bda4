"""How a model is asked for a verdict: a JSON document to judge, out of which nothing breaks, and one object back."""

import json
import re
from collections.abc import Mapping
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

    def asks(self, judge: Model, document: Mapping[str, object]) -> ChatRequest:
        """The judge is held to the form of the verdict as well as it can be."""
        form: dict[str, object] = {}
        if judge.can(Capability.SCHEMA):
            form = {"response_format": "json_schema", "json_schema": self._schema()}
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
        fenced = _FENCED.fullmatch(text.strip())
        try:
            said = json.loads(fenced[1] if fenced else text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(said, dict) or not {"verdict"} <= said.keys() <= {"verdict", "reason"}:
            return None
        verdict, reason = said["verdict"], said.get("reason", "")
        known = isinstance(verdict, str) and verdict in self.verdicts
        return verdict if known and isinstance(reason, str) else None

    def _schema(self) -> JsonSchema:
        verdict = {"type": "string", "enum": list(self.verdicts)}
        return JsonSchema(
            name="verdict",
            strict=True,
            schema_={
                "type": "object",
                "properties": {"reason": {"type": "string"}, "verdict": verdict},
                "required": ["reason", "verdict"],
                "additionalProperties": False,
            },
        )
