"""The stand-in where the model cannot run: says what it is, the same way for the same request."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncGenerator, Iterator
from itertools import takewhile

from aico.core.canonical import canonical_json
from aico.core.chat import FinishReason, Message, Role, Tool, ToolCall, ToolChoice
from aico.embedded.local_model.engine import Called, Event, Finished, Piece, Prompt
from aico.embedded.local_model.sample import sample
from aico.embedded.local_model.text import StopFilter

MODEL_ID = "simulated-small"
_SECONDS_PER_TOKEN = 0.002
_TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])")  # a word or a sign with the white space before it
_TOLD_TO_CALL = re.compile(r"call ([\w-]+)")  # how a user's text asks for a tool by its name
_INTRODUCTION = "This is a simulated answer: no language model was run."


class SimulatedEngine:
    model_id = MODEL_ID
    owned_by = "simulated"
    structured = True

    async def answer(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        prompt_tokens = sum(len(_TOKEN.findall(message.text)) for message in prompt.messages)
        tool = _tool_to_call(prompt)
        if tool is not None:
            call = _call(prompt, tool)
            await asyncio.sleep(_SECONDS_PER_TOKEN)
            yield Called(call)
            yield Finished(FinishReason.TOOL_CALLS, prompt_tokens, len(_TOKEN.findall(call.arguments)) + 1)
            return
        tokens = _TOKEN.findall(_answer_text(prompt, prompt_tokens))
        shown = StopFilter(prompt.stop)
        made = 0
        for token in tokens[: prompt.max_tokens]:
            await asyncio.sleep(_SECONDS_PER_TOKEN)
            made += 1
            if text := shown.push(token):
                yield Piece(text)
            if shown.stopped:
                break
        if rest := shown.flush():
            yield Piece(rest)
        cut = made < len(tokens) and not shown.stopped
        yield Finished(FinishReason.LENGTH if cut else FinishReason.STOP, prompt_tokens, made)

    def close(self) -> None:
        """Nothing runs between two requests."""


def _tool_to_call(prompt: Prompt) -> Tool | None:
    """The tool that the request insists on or the user names; none once a tool has returned something."""
    last, choice = prompt.messages[-1], prompt.tool_choice or ToolChoice()
    if not prompt.tools or last.role is Role.TOOL or choice.mode == "none":
        return None
    told = _TOLD_TO_CALL.match(last.text) if last.role is Role.USER else None
    name = choice.name if choice.mode == "one" else told and told[1]
    named = next((tool for tool in prompt.tools if tool.name == name), None)
    return named or (prompt.tools[0] if choice.mode == "required" else None)


def _call(prompt: Prompt, tool: Tool) -> ToolCall:
    arguments = sample({"type": "object", **(tool.parameters or {})})
    return ToolCall(id=f"call_{_digest(prompt)}{prompt.choice}", name=tool.name, arguments=json.dumps(arguments))


def _answer_text(prompt: Prompt, prompt_tokens: int) -> str:
    if prompt.json_schema is not None:
        return json.dumps(sample(prompt.json_schema.schema_), ensure_ascii=False)
    returned = "; ".join(_returned(prompt.messages))
    if returned:
        return f"{_INTRODUCTION} What the tools returned: {returned}"
    which = f" Choice {prompt.choice + 1}." if prompt.choice else ""
    return (
        f"{_INTRODUCTION} The request {_digest(prompt)} had {len(prompt.messages)} messages "
        f"with {prompt_tokens} words and signs.{which}"
    )


def _returned(messages: tuple[Message, ...]) -> Iterator[str]:
    latest = takewhile(lambda message: message.role is Role.TOOL, reversed(messages))
    return (message.text for message in reversed(list(latest)))


def _digest(prompt: Prompt) -> str:
    asked = [[message.role, message.text] for message in prompt.messages]
    return hashlib.sha256(canonical_json(asked)).hexdigest()[:8]
