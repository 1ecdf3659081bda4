"""In which language a text is written, and what kind of question it asks."""

import re
from collections import Counter
from collections.abc import Sequence

from aico.embedding_service.verification.tokens import Token
from aico.embedding_service.verification.words import SPEAKS

_HEAD = 600  # characters in which a language shows
_SCRIPTS = re.compile(
    r"(?P<latin>[a-z\u00c0-\u024f])|(?P<greek>[\u0370-\u03ff])|(?P<cyrillic>[\u0400-\u052f])"
    r"|(?P<hebrew>[\u0590-\u05ff])|(?P<arabic>[\u0600-\u06ff])|(?P<devanagari>[\u0900-\u097f])"
    r"|(?P<thai>[\u0e00-\u0e7f])|(?P<kana>[\u3040-\u30ff])|(?P<hangul>[\uac00-\ud7af])|(?P<han>[\u4e00-\u9fff])",
    re.IGNORECASE,
)
_SHARED = Counter(word for words in SPEAKS.values() for word in words)
_LETTERS = re.compile(r"[^\W\d_]{1,20}")
_LEAST = 2  # words that one language has, and no other here

_BEGINNING = 8  # tokens in which a question word is looked for
_KINDS = {"who": "who", "whose": "who", "whom": "who", "where": "where", "when": "when", "why": "why", "what": "what"}
_HOW = {word: f"how {word}" for word in ("much", "many", "far", "often", "old")} | dict.fromkeys(
    ("long", "soon", "quickly", "fast"),
    "when",  # how long it takes says when it comes
)
_WHETHER = frozenset({"be", "do", "can", "will", "should", "have", "may", "must"})
_EXPLICIT = frozenset({"who", "where", "when", "why", "how much", "how many", "how far", "how often", "how old"})
_JOINING = frozenset({"when", "where"})  # clauses too, not only questions
_MOST_ASKED = 40  # tokens of a question
_NEVER_WHY = frozenset({"how", "whether"})  # what a question for the reason is not answered by


def language_of(text: str) -> str | None:
    """A language, or a script that no known language shares; None where it does not show."""
    head = text[:_HEAD]
    if head.isascii():
        return _spoken(head)
    counts = Counter(match.lastgroup for match in _SCRIPTS.finditer(head))
    if not counts:
        return None
    ((script, most),) = counts.most_common(1)
    if most * 2 < counts.total():
        return None
    return _spoken(head) if script == "latin" else script


def _spoken(text: str) -> str | None:
    words = {word for word in _LETTERS.findall(text.lower()) if _SHARED[word] == 1}
    counts = sorted(((len(words & known), language) for language, known in SPEAKS.items()), reverse=True)
    (most, language), (second, _) = counts[:2]
    return language if most >= _LEAST and most > 2 * second else None


def question_of(tokens: Sequence[Token]) -> str | None:
    """What is asked for: who, where, when, why, what, how, how much and the like, or whether; None where it is open."""
    followed = list(zip(tokens[:_MOST_ASKED], [*tokens[1 : _MOST_ASKED + 1], None], strict=False))
    if any(_asks_why(token, after) for token, after in followed):
        return "why"
    for token, after in followed[:_BEGINNING]:
        if token.lemma == "how":
            return _HOW.get(after.text.lower(), "how") if after is not None else "how"
        if token.lemma in _KINDS and (token.lemma not in _JOINING or (after is not None and after.lemma in _WHETHER)):
            return _KINDS[token.lemma]
    asks = len(tokens) > 1 and tokens[0].lemma in _WHETHER and tokens[1].lemma != "you"
    return "whether" if asks else None


def _asks_why(token: Token, after: Token | None) -> bool:
    return token.lemma in {"why", "reason"} or (token.lemma == "how" and after is not None and after.lemma == "come")


def questions_differ(one: str | None, two: str | None) -> bool:
    """Whether what answers the one is no answer to the other: how, what and whether are asked for each other."""
    kinds = {one, two}
    if None in kinds or one == two:
        return False
    return kinds <= _EXPLICIT or kinds == {"how", "when"} or ("why" in kinds and not kinds.isdisjoint(_NEVER_WHY))
