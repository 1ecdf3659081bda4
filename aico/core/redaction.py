"""Replaces personal data in a submission by typed placeholders, before anything of it is stored.

A placeholder is `<EMAIL_1>`: the same value has the same number throughout a request, and numbers go on after those
that the request holds already, as in the earlier turns of a conversation.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from aico.core.chat import ChatRequest
from aico.core.errors import PayloadTooLarge
from aico.core.submission import Submission


class PiiPolicy(StrEnum):
    """A tenant's."""

    OFF = "off"
    REDACT = "redact"


class PiiKind(StrEnum):
    SECRET = "SECRET"  # looks like an API key, a token or a private key  # noqa: S105 - a word, not one
    EMAIL = "EMAIL"
    IBAN = "IBAN"
    WALLET = "WALLET"  # of a crypto currency
    CARD = "CARD"
    SSN = "SSN"  # of the United States
    IP = "IP"
    PHONE = "PHONE"


@dataclass(frozen=True, slots=True)
class Finding:
    """`text[start:end]` is personal data of this kind."""

    start: int
    end: int
    kind: PiiKind


class Detector(Protocol):
    def find(self, text: str) -> Sequence[Finding]:
        """In the order of the text; none overlap."""
        ...


_PLACEHOLDER = re.compile(rf"<({'|'.join(PiiKind)})_(\d{{1,9}})>")
_FILLING = re.compile(r"[\s().-]+")  # how a number is grouped does not make it another one
# What is no text of a person: names that must stay as they are, and pictures, which are not looked into.
_KEPT = frozenset({"model", "role", "type", "url", "detail", "mode", "id", "tool_call_id", "previous_response_id"})


def redacted(submission: Submission, detector: Detector, most_characters: int) -> Submission:
    """Question, hints, metadata and what the door shows again. Linear in the text.

    Raises PayloadTooLarge for more text than `most_characters`.
    """
    chat = submission.chat.model_dump(mode="json", exclude_defaults=True)
    parts = (chat, submission.metadata, submission.echo)
    texts = [text for part in parts for text in _texts(part)]
    characters = sum(map(len, texts))
    if characters > most_characters:
        raise PayloadTooLarge(
            f"the request has {characters} characters of text; at most {most_characters} are looked through"
            " for personal data",
            param="messages",
        )
    placeholders = _Placeholders(texts)

    def clean(text: str) -> str:
        findings = detector.find(text)
        return placeholders.put(text, findings) if findings else text

    clean_chat, metadata, echo = (_mapped(part, clean) for part in parts)
    if (clean_chat, metadata, echo) == parts:
        return submission
    return replace(submission, chat=ChatRequest.model_validate(clean_chat), metadata=metadata, echo=echo)


def redacted_text(text: str, detector: Detector) -> str:
    """A text by itself. It may become longer."""
    findings = detector.find(text)
    return _Placeholders([text]).put(text, findings) if findings else text


class _Placeholders:
    """The numbers of one request."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._numbers: dict[tuple[PiiKind, str], int] = {}
        self._last = dict.fromkeys(PiiKind, 0)
        for text in texts:
            for kind, number in _PLACEHOLDER.findall(text) if "<" in text else ():
                self._last[PiiKind(kind)] = max(self._last[PiiKind(kind)], int(number))

    def put(self, text: str, findings: Sequence[Finding]) -> str:
        pieces, position = [], 0
        for found in findings:
            pieces += [text[position : found.start], self._name(found.kind, text[found.start : found.end])]
            position = found.end
        return "".join([*pieces, text[position:]])

    def _name(self, kind: PiiKind, value: str) -> str:
        same = (kind, _FILLING.sub("", value).casefold())
        if same not in self._numbers:
            self._last[kind] += 1
            self._numbers[same] = self._last[kind]
        return f"<{kind}_{self._numbers[same]}>"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in _KEPT:
                yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: inner if key in _KEPT else _mapped(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(inner, change) for inner in value]
    return value
