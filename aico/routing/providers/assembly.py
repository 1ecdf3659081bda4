"""Puts an answer together from its parts, whether they come in one piece or as a stream."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aico.core.chat import Choice, Completion, FinishReason, ToolCall
from aico.core.usage import Usage
from aico.routing.providers.failures import TRUNCATED
from aico.routing.providers.logprobs import Logprobs
from aico.routing.providers.wire import CallPart, ChoicePart, StreamPart, WireError, new_call_id

Meter: TypeAlias = Callable[[Mapping[str, Any]], Usage]


class Assembly:
    def __init__(self) -> None:
        self._choices: dict[int, _Answer] = {}
        self._usage: dict[str, Any] = {}
        self._model = ""
        self.told = False  # whether a piece of it was passed on, after which nobody else can answer

    def add(self, part: StreamPart) -> str:
        """Take a part in and return the text that it adds to the first answer."""
        for choice in part.choices:
            self._choices.setdefault(choice.index, _Answer()).add(choice)
        self._model = part.model or self._model
        self._usage.update(part.usage or {})
        return part.delta

    def completion(self, meter: Meter) -> Completion:
        """Raises WireError where an answer has no end. One whose usage is missing or unreadable is an answer still."""
        first, *more = [answer.choice() for _, answer in sorted(self._choices.items())] or [_Answer().choice()]
        usage = self.reported_usage(meter) or Usage(raw=self._usage or None)
        return Completion(**first.model_dump(), model=self._model, usage=usage, more=tuple(more))

    def reported_usage(self, meter: Meter) -> Usage | None:
        if not self._usage:
            return None
        try:
            return meter(self._usage)
        except WireError:
            return None  # unreadable usage is unknown usage; the failure being reported is the one that counts


def assembled(part: StreamPart, meter: Meter) -> Completion:
    """The answer that came in one piece."""
    assembly = Assembly()
    assembly.add(part)
    return assembly.completion(meter)


@dataclass
class _Call:
    id: str | None = None
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def add(self, part: CallPart) -> None:
        self.id = self.id or part.id
        self.name = self.name or part.name or ""
        self.arguments.append(part.arguments)

    def whole(self) -> ToolCall:
        return ToolCall(id=self.id or new_call_id(), name=self.name, arguments="".join(self.arguments) or "{}")


class _Answer:
    def __init__(self) -> None:
        self.text: list[str] = []
        self._refused = False
        self._calls: list[_Call] = []
        self._numbered: dict[int, _Call] = {}
        self._logprobs: Logprobs | None = None
        self._finish: FinishReason | None = None

    def add(self, part: ChoicePart) -> None:
        if part.text:
            self.text.append(part.text)
        self._refused = self._refused or part.refused
        for call in part.calls:
            self._call(call.index).add(call)
        if part.logprobs is not None:
            self._logprobs = (self._logprobs or Logprobs()).followed_by(part.logprobs)
        self._finish = part.finish or self._finish

    def choice(self) -> Choice:
        if self._finish is None:
            raise WireError("the stream ended before the answer did", code=TRUNCATED)
        return Choice(
            text="".join(self.text),
            finish_reason=self._end(self._finish),
            tool_calls=tuple(call.whole() for call in self._calls),
            refused=self._refused,
            logprobs=self._logprobs.model_dump(mode="json") if self._logprobs is not None else None,
        )

    def _call(self, index: int | None) -> _Call:
        if index is not None and index in self._numbered:
            return self._numbered[index]
        call = _Call()
        self._calls.append(call)
        if index is not None:
            self._numbered[index] = call
        return call

    def _end(self, finish: FinishReason) -> FinishReason:
        """Some formats say that an answer simply stopped where it asks for calls or declines."""
        if finish is not FinishReason.STOP:
            return finish
        if self._calls:
            return FinishReason.TOOL_CALLS
        return FinishReason.CONTENT_FILTER if self._refused else finish
