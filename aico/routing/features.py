"""What can be read off a request before any model is asked. Pure text statistics: no model, no network."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aico.core.chat import ChatRequest, Message, Role
from aico.routing.calibration import Line
from aico.routing.models import Capability
from aico.routing.surface import surface
from aico.routing.tokens import Counted, count_conversation

_LOOKED_AT_CHARS = 20_000  # of the last turn; beyond that the length alone says enough
DEFAULT_OUTPUT_TOKENS = 400  # expected of an answer whose length nobody bounded; only ranks prices


class TaskType(StrEnum):
    CODE = "code"
    MATH = "math"
    CHOICE = "choice"  # pick one of the listed answers
    TRANSFORM = "transform"  # summarise, translate, rewrite, extract, classify
    CREATE = "create"
    QUESTION = "question"
    CHAT = "chat"


# Callers choose the text, so each pattern takes time linear in it: none repeats over line ends or unanchored runs.
_CODE = re.compile(
    r"^[ \t]*(?:import|from) \w+|```|#include|[{}][ \t]*$|\);[ \t]*$|=>"
    r"|\b(?:def \w+\(|function \w*\(|class \w+[:({]|SELECT\b.{1,200}?\bFROM\b"
    r"|(?:write|implement|create) an? (?:\w+ ){0,2}(?:function|program|script|class|query)\b"
    r"|(?:python|javascript|typescript|c\+\+|sql|regex|stack trace|traceback|unit tests?|refactor|debug)\b|\w+\(\))",
    re.IGNORECASE | re.MULTILINE,
)
_MATH = re.compile(
    r"\\(?:frac|sum|int|sqrt)|\$[^$\n]+\$|\d\s*[-+*/^=%]\s*\d|\d%|\b(?:solve|equation|integral|derivative|theorem|matrix"
    r"|probability|percent|polynomial|modulo|sum of|product of|how (?:many|much)|average|ratio|remainder|calculate"
    r"|compute|twice|half|total)\b",
    re.IGNORECASE,
)
_REASONING = re.compile(
    r"\b(?:prove|derive|explain why|why|step by step|reason(?:ing)?|analy[sz]e|evaluate|compare|contrast|trade-?offs?"
    r"|design|architect(?:ure)?|optimi[sz]e|strategy|implications?|justify|therefore|assume|suppose|because|if|then"
    r"|unless|would|most likely|best|according to|which of the following)\b",
    re.IGNORECASE,
)
_CONSTRAINT = re.compile(
    r"\b(?:must|should|only|exactly|at least|at most|no more than|without|except|not|never|always|format|constraints?"
    r"|requirements?|include|ensure)\b|^[ \t]*(?:[-*]|\d+[.)])\s",
    re.IGNORECASE | re.MULTILINE,
)
_CHOICE = re.compile(r"^[ \t]*\(?[A-D][.)]\s", re.MULTILINE)
_TRANSFORM = re.compile(
    r"\b(?:summari[sz]e|translate|rewrite|rephrase|paraphrase|extract|classify|categori[sz]e|proofread|shorten)\b",
    re.IGNORECASE,
)
_CREATE = re.compile(r"\b(?:write|compose|draft|create|imagine|story|poem|essay|brainstorm)\b", re.IGNORECASE)
_CHOICES_NEEDED = 3


@dataclass(frozen=True, kw_only=True)
class Features:
    input_tokens: int  # of the whole conversation, estimated
    output_tokens: int  # what one answer may take
    choices: int = 1  # answers asked for
    turns: int  # messages of user and assistant
    question_chars: int  # of the last turn; ranks difficulty better than its tokens do
    code_marks: int
    math_marks: int
    reasoning_words: int
    constraints: int
    questions: int
    task: TaskType
    needs: frozenset[Capability]  # without which no model can serve the request
    surface: tuple[float, ...] = ()  # counts of the last turn, see surface(); empty: not counted
    counted: Counted | None = field(default=None, compare=False)  # what `input_tokens` was estimated from
    # MiniLM's 384 numbers of the last turn, length 1; None where the service did not need them.
    vector: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    def input_tokens_by(self, line: Line | None) -> int:
        """The estimate for a model of which it is known how it counts."""
        return self.input_tokens if line is None or self.counted is None else self.counted.billed(line)

    @property
    def telling_tokens(self) -> int | None:
        """What was counted, where a provider's count of the same tells how its model counts."""
        return self.counted.text if self.counted is not None and self.counted.plain else None

    @property
    def all_output_tokens(self) -> int:
        """What is expected to be billed: every choice is an answer."""
        return self.choices * self.output_tokens


def extract_features(request: ChatRequest) -> Features:
    text = request.last_user_turn[:_LOOKED_AT_CHARS]
    counted = count_conversation(request.messages, declared(request))
    code, mathematics = len(_CODE.findall(text)), len(_MATH.findall(text))
    return Features(
        input_tokens=counted.billed(),
        counted=counted,
        output_tokens=request.max_tokens or DEFAULT_OUTPUT_TOKENS,
        choices=request.n,
        turns=sum(message.role is not Role.SYSTEM for message in request.messages),
        question_chars=len(request.last_user_turn),
        code_marks=code,
        math_marks=mathematics,
        reasoning_words=len(_REASONING.findall(text)),
        constraints=len(_CONSTRAINT.findall(text)),
        questions=text.count("?"),
        task=_task(text, code, mathematics),
        needs=needs(request),
        surface=surface(text),
    )


def features_of(text: str, vector: NDArray[np.float32] | None = None) -> Features:
    """Of a plain text that is asked alone. `vector` is MiniLM's, of shape (384,) and length 1."""
    asked = ChatRequest(messages=(Message(role=Role.USER, content=text),))
    return replace(extract_features(asked), vector=vector)


def needs(request: ChatRequest) -> frozenset[Capability]:
    """What a model must be able to do for this request. Cheap: looks at no text."""
    asked = {
        Capability.JSON: request.response_format == "json_object",
        Capability.SCHEMA: request.response_format == "json_schema",
        Capability.TOOLS: bool(request.tools) or any(message.tool_calls for message in request.messages),
        Capability.VISION: any(message.images for message in request.messages),
        Capability.CHOICES: request.n > 1,
        Capability.LOGPROBS: request.logprobs,
    }
    return frozenset(capability for capability, needed in asked.items() if needed)


def declared(request: ChatRequest) -> Iterator[str]:
    for tool in request.tools:
        yield json.dumps(tool.model_dump(mode="json", exclude_none=True))
    if request.json_schema is not None:
        yield json.dumps(request.json_schema.model_dump(mode="json", exclude_none=True))


def _task(text: str, code: int, mathematics: int) -> TaskType:
    """The first that fits, from the most to the least telling sign."""
    rules = (
        (len(_CHOICE.findall(text)) >= _CHOICES_NEEDED, TaskType.CHOICE),
        (code >= 1, TaskType.CODE),
        (_TRANSFORM.search(text) is not None, TaskType.TRANSFORM),
        (mathematics >= 1, TaskType.MATH),
        (_CREATE.search(text) is not None, TaskType.CREATE),
        ("?" in text, TaskType.QUESTION),
    )
    return next((task for fits, task in rules if fits), TaskType.CHAT)
