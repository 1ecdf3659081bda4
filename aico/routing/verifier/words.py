"""Signs in the words of an answer: nothing said, a refusal, doubt, an end in the middle, a loop, another language."""

import re
import zlib
from collections import Counter
from collections.abc import Iterator

from aico.core.chat import Choice, FinishReason
from aico.routing.verifier.signs import Sign, SignName

LOOKED_AT_CHARS = 20_000  # from the start
_HEAD_CHARS, _TAIL_CHARS = 400, 4_000
_SCRIPT_CHARS = 2_000

_REFUSES = re.compile(
    r"\b(?:I(?:'m| am) (?:sorry|afraid),? (?:but )?(?:I )?(?:can(?:'t|not)|am (?:not able|unable))"
    r"|I (?:can(?:'t|not)|am unable to|am not able to|won't) (?:help|assist|comply|provide|answer|do|fulfil))",
    re.IGNORECASE,
)
_HEDGES = re.compile(
    r"\bas an AI\b|\bI(?:'m| am) not (?:sure|certain)\b|\bI (?:don't|do not) (?:know|have (?:access|enough))\b"
    r"|\bI can(?:'t|not) (?:determine|verify|access|be sure)\b|\b(?:can(?:'t|not)) be determined\b"
    r"|\b(?:not enough|insufficient) information\b|\bit is (?:unclear|impossible to (?:say|know|tell|determine))\b"
    r"|\bI (?:would|might|may) (?:guess|be wrong)\b|\bmy (?:best )?guess\b",
    re.IGNORECASE,
)
_UNDERWAY = re.compile(
    r"(?:[-+*/=\u00d7\u00f7(,:]|<<[^<>\n]{0,80}"
    r"|\b(?:and|or|the|of|to|is|are|with|by|because|so|then))\s*$"
)

_LOOP_CHARS = 800  # from which on repetition can be told from terseness
_LOOP_RATIO = 0.1  # of compressed to plain: prose has about 0.45, code and tables at least 0.15

_SCRIPTS = re.compile(
    r"(?P<latin>[a-z\u00c0-\u024f])|(?P<greek>[\u0370-\u03ff])|(?P<cyrillic>[\u0400-\u052f])"
    r"|(?P<hebrew>[\u0590-\u05ff])|(?P<arabic>[\u0600-\u06ff])|(?P<devanagari>[\u0900-\u097f])"
    r"|(?P<thai>[\u0e00-\u0e7f])|(?P<hangul>[\uac00-\ud7af])|(?P<cjk>[\u3040-\u30ff\u4e00-\u9fff])",
    re.IGNORECASE,
)
_LEAST_LETTERS, _MOST_SHARE = 12, 0.6
_LANGUAGES = {
    "english": "the is are was of and to in that with for how what",
    "german": "der die das und ist ein eine nicht mit für wie auf zu den",
    "french": "le la les des est une et dans pour que qui avec sur",
    "spanish": "el los las una y es en que por con para cómo del",
    "italian": "il gli una e è che per con della sono di non",
    "portuguese": "o os uma e é que não com para em do da",
    "dutch": "de het een en is van niet met voor op dat zijn",
}
_SPEAKS = {language: frozenset(words.split()) for language, words in _LANGUAGES.items()}
_WORD = re.compile(r"[^\W\d_]{1,20}")
_LEAST_WORDS = 4  # of a language, and twice as many as of any other
_WANTS_LANGUAGE = re.compile(
    r"\b(?:translat\w{0,10}|übersetz\w{0,5}|tradu\w{0,8}|language|in (?:english|german|french|spanish|italian"
    r"|portuguese|dutch|russian|greek|chinese|japanese|korean|arabic|hebrew|hindi|thai|latin|polish|turkish|ukrainian))\b",
    re.IGNORECASE,
)
_WANTS_MUCH = re.compile(
    r"\b(?:explain|essay|in detail|step by step|story|article|describe|compare|analy[sz]e|write an? )", re.IGNORECASE
)
_WANTS_LITTLE = re.compile(
    r"\b(?:one word|single word|yes or no|only the (?:number|letter|answer|name|word)|just the (?:number|letter|answer"
    r"|name|word)|in one sentence)\b",
    re.IGNORECASE,
)
_SHORT_CHARS, _LONG_CHARS = 40, 600


def ending_signs(answer: Choice) -> Iterator[Sign]:
    """On how the answer ended, whatever was asked."""
    text = answer.text.strip()
    if not text and not answer.tool_calls:
        yield Sign(SignName.EMPTY, 0.99, "the answer is empty")
    if answer.refused or answer.finish_reason is FinishReason.CONTENT_FILTER or _REFUSES.search(text[:_HEAD_CHARS]):
        yield Sign(SignName.REFUSED, 0.8, "the model declined")
    if answer.finish_reason is FinishReason.LENGTH:
        yield Sign(SignName.TRUNCATED, 0.9, "the answer was cut off at its greatest length")
    elif _UNDERWAY.search(text[-200:]):
        yield Sign(SignName.BREAKS_OFF, 0.7, "the answer ends in the middle")


def word_signs(question: str, answer: str) -> Iterator[Sign]:
    """Linear in the characters that are looked at, which are bounded."""
    doubts = len(_HEDGES.findall(answer[:LOOKED_AT_CHARS]))
    if doubts:
        yield Sign(SignName.HEDGES, 0.5, "the answer says that it may be wrong", doubts)
    if _loops(answer[-_TAIL_CHARS:]):
        yield Sign(SignName.REPEATS, 0.9, "the answer goes round in circles")
    if _WANTS_LANGUAGE.search(question[-LOOKED_AT_CHARS:]) is None:
        yield from _language_signs(question, answer)
    yield from _length_signs(question[-LOOKED_AT_CHARS:], answer.strip())


def _loops(tail: str) -> bool:
    data = tail.encode("utf-8", "replace")
    return len(data) >= _LOOP_CHARS and len(zlib.compress(data, 1)) < _LOOP_RATIO * len(data)


def _language_signs(question: str, answer: str) -> Iterator[Sign]:
    asked, answered = _script(question[-_SCRIPT_CHARS:]), _script(answer[:_SCRIPT_CHARS])
    if asked is None or answered is None:
        return
    if asked == answered == "latin":
        asked, answered = _language(question[-_SCRIPT_CHARS:]), _language(answer[:_SCRIPT_CHARS])
    if asked and answered and asked != answered:
        yield Sign(SignName.OTHER_LANGUAGE, 0.7, f"asked in {asked}, answered in {answered}")


def _script(text: str) -> str | None:
    """In which most letters are; None where there are few, or none prevails."""
    counts = Counter(match.lastgroup for match in _SCRIPTS.finditer(text))
    if counts.total() < _LEAST_LETTERS:
        return None
    ((script, most),) = counts.most_common(1)
    return script if most >= _MOST_SHARE * counts.total() else None


def _language(text: str) -> str | None:
    words = _WORD.findall(text.lower())
    counts = sorted(((sum(word in known for word in words), name) for name, known in _SPEAKS.items()), reverse=True)
    (most, language), (second, _) = counts[:2]
    return language if most >= max(_LEAST_WORDS, 2 * second) else None


def _length_signs(question: str, answer: str) -> Iterator[Sign]:
    if not answer:
        return
    if _WANTS_LITTLE.search(question):
        if len(answer) > _LONG_CHARS:
            yield Sign(SignName.TOO_LONG, 0.4, "much longer than was asked for")
    elif len(answer) < _SHORT_CHARS and _WANTS_MUCH.search(question):
        yield Sign(SignName.TOO_SHORT, 0.6, "far too short for what was asked for")
