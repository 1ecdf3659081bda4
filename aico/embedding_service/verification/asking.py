"""In which language a text is written, and what kind of question it asks."""

import re
from collections import Counter
from collections.abc import Sequence

from aico.embedding_service.verification.tokens import Token

_HEAD = 600  # characters in which a language shows
_SCRIPTS = re.compile(
    r"(?P<latin>[a-z\u00c0-\u024f])|(?P<greek>[\u0370-\u03ff])|(?P<cyrillic>[\u0400-\u052f])"
    r"|(?P<hebrew>[\u0590-\u05ff])|(?P<arabic>[\u0600-\u06ff])|(?P<devanagari>[\u0900-\u097f])"
    r"|(?P<thai>[\u0e00-\u0e7f])|(?P<kana>[\u3040-\u30ff])|(?P<hangul>[\uac00-\ud7af])|(?P<han>[\u4e00-\u9fff])",
    re.IGNORECASE,
)
_SPEAKS = {
    language: frozenset(words.split())
    for language, words in {
        "english": "the is are was of and to in that with for how what do does can i my you from when where which",
        "german": "der die das und ist ein eine nicht mit für wie auf zu den ich wo kann was wird von",
        "french": "le la les des est une et dans pour que qui avec sur je comment puis mon quel quelle",
        "spanish": "el los las una y es en que por con para cómo como del traducir mi puedo cuál qué",
        "italian": "il gli una e è che per con della sono di non come posso mio quale",
        "portuguese": "o os uma e é que não com para em do da como posso meu qual",
        "dutch": "de het een en is van niet met voor op dat zijn hoe kan ik mijn wat",
    }.items()
}
_SHARED = Counter(word for words in _SPEAKS.values() for word in words)
_LETTERS = re.compile(r"[^\W\d_]{1,20}")
_LEAST = 2  # words that one language has, and no other here

_BEGINNING = 4  # tokens
_KINDS = {"who": "who", "whose": "who", "whom": "who", "where": "where", "when": "when", "why": "why"}
_MUCH = {
    "much": "how much",
    "many": "how many",
    "long": "how long",
    "far": "how far",
    "often": "how often",
    "old": "how old",
}


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
    counts = sorted(((len(words & known), language) for language, known in _SPEAKS.items()), reverse=True)
    (most, language), (second, _) = counts[:2]
    return language if most >= _LEAST and most > 2 * second else None


def question_of(tokens: Sequence[Token]) -> str | None:
    """What the question word at the beginning asks for; None where it leaves that open, as how and what do."""
    for place, token in enumerate(tokens[:_BEGINNING]):
        if token.lemma == "how":
            return _MUCH.get(tokens[place + 1].lemma) if place + 1 < len(tokens) else None
        if token.lemma in _KINDS:
            return _KINDS[token.lemma]
    return None
