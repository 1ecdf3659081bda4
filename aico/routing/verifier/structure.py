"""Signs on what an answer has to look like: JSON, a schema, calls of tools, code, one of several choices."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from aico.core.chat import ChatRequest, Choice, Tool, ToolCall
from aico.routing.features import TaskType
from aico.routing.verifier.schema import violation
from aico.routing.verifier.signs import Sign, SignName

_JSON_CHARS = 500_000  # of an answer that is parsed; a longer one is believed
_CODE_CHARS = 10_000  # likewise of a block of code
_MOST_BLOCKS, _MOST_CALLS = 8, 16
_LOOKED_AT_CHARS = 20_000
_CHOICE_CHARS = 300  # of the end and of the start, where a choice is named

_FENCE = re.compile(r"^ {0,3}```[ \t]*([\w+#.-]{0,20})", re.MULTILINE)
_PYTHON = frozenset({"python", "py", "python3"})
_ESCAPE = re.compile(r"\\([^\n'\"\\])|(\\.)", re.DOTALL)
_WANTS_CODE = re.compile(
    r"\b(?:write|implement|create|give|fix|complete)\b[^.?!\n]{0,40}"
    r"\b(?:function|program|script|class|query|code|method|regex)\b",
    re.IGNORECASE,
)
_LOOKS_LIKE_CODE = re.compile(r"```|^ {4}\S|\bdef \w|\breturn\b|[;{}]\s*$|=>|\bSELECT\b", re.MULTILINE)
_CHOSEN = re.compile(r"(?:^|[\s(\[*\"'.:])([A-J])(?=$|[\s)\].,:;*\"'])")


def structure_signs(request: ChatRequest, answer: Choice, task: TaskType) -> Iterator[Sign]:
    if request.response_format != "text" and not answer.tool_calls:
        yield from _json_signs(request, answer.text)
    yield from _tool_signs(request, answer)
    question = request.last_user_turn[-_LOOKED_AT_CHARS:]
    if answer.text and request.response_format == "text" and not answer.tool_calls:
        yield from _code_signs(question, answer.text[:_LOOKED_AT_CHARS])
        if task is TaskType.CHOICE and not _names_choice(question, answer.text):
            yield Sign(SignName.NO_FINAL_ANSWER, 0.6, "one of several choices was asked for, and none is named")


def _json_signs(request: ChatRequest, text: str) -> Iterator[Sign]:
    if len(text) > _JSON_CHARS:
        return
    try:
        value = _parsed(text)
    except (ValueError, RecursionError):
        yield Sign(SignName.NOT_JSON, 0.97, "the answer is not valid JSON")
        return
    if request.response_format == "json_object" and not isinstance(value, dict):
        yield Sign(SignName.NOT_JSON, 0.97, "the answer is not a JSON object")
    if request.json_schema is not None and (wrong := violation(value, request.json_schema.schema_)):
        yield Sign(SignName.AGAINST_SCHEMA, 0.97, f"against the schema: {wrong}")


def _tool_signs(request: ChatRequest, answer: Choice) -> Iterator[Sign]:
    choice, tools = request.tool_choice, {tool.name: tool for tool in request.tools}
    if choice is not None and choice.mode in {"required", "one"} and not answer.tool_calls:
        yield Sign(SignName.NO_TOOL_CALL, 0.97, "a call of a tool was required, and none was made")
    for call in answer.tool_calls[:_MOST_CALLS]:
        wrong = _wrong_call(call, tools)
        if choice is not None and choice.mode == "one" and call.name != choice.name:
            wrong = f"not {choice.name!r}, which was required"
        if wrong is not None:
            yield Sign(SignName.BAD_TOOL_CALL, 0.95, f"the call of {call.name[:60]!r}: {wrong}")


def _wrong_call(call: ToolCall, tools: Mapping[str, Tool]) -> str | None:
    tool = tools.get(call.name)
    if tool is None:
        return "there is no such tool"
    if len(call.arguments) > _JSON_CHARS:
        return None
    try:
        arguments = _parsed(call.arguments or "{}")
    except (ValueError, RecursionError):
        return "its arguments are not valid JSON"
    if not isinstance(arguments, dict):
        return "its arguments are not a JSON object"
    return violation(arguments, tool.parameters or {})


def _parsed(text: str) -> Any:
    """Whole numbers of any length are read as floats: to make an int of many digits takes more than linear time.

    Raises ValueError for what JSON does not know either, such as NaN.
    """
    return json.loads(text, parse_int=_whole, parse_constant=_no_number)


def _no_number(word: str) -> None:
    raise ValueError(word)


def _whole(digits: str) -> float | int:
    return int(digits) if len(digits) <= 18 else float(digits)  # noqa: PLR2004 - that many fit into 64 bits


def _code_signs(question: str, text: str) -> Iterator[Sign]:
    fences = list(_FENCE.finditer(text))
    if len(fences) % 2 and len(text) < _LOOKED_AT_CHARS:
        yield Sign(SignName.OPEN_FENCE, 0.6, "a block of code is not closed")
    for opening, closing in list(zip(fences[::2], fences[1::2], strict=False))[:_MOST_BLOCKS]:
        if opening[1].lower() in _PYTHON and not _parses(text[opening.end() : closing.start()]):
            yield Sign(SignName.BAD_CODE, 0.8, "a block of Python does not parse")
    if _WANTS_CODE.search(question) and not _LOOKS_LIKE_CODE.search(text):
        yield Sign(SignName.NO_CODE, 0.5, "code was asked for, and there is none")


def _parses(code: str) -> bool:
    """Nothing is run. Prompts of a console are no Python, and no fault; neither is what is too long to look at."""
    if len(code) > _CODE_CHARS or ">>> " in code:
        return True
    try:
        ast.parse(_ESCAPE.sub(lambda match: match[2] or match[1], code))  # an unknown escape would only be warned of
    except (SyntaxError, ValueError):
        return False
    except (RecursionError, MemoryError):  # nested too deeply to tell
        return True
    return True


def _names_choice(question: str, answer: str) -> bool:
    """By its letter, or in the words of one of the lines that list the choices."""
    shown = f"{answer[:_CHOICE_CHARS]} {answer[-_CHOICE_CHARS:]}"
    if _CHOSEN.search(shown):
        return True
    lines = (line.strip().lstrip("(").partition(" ")[2].strip() for line in question.splitlines()[-20:])
    return any(line and line.lower() in shown.lower() for line in lines)
