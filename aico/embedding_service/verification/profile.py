"""What is seen of one text, before it is compared with others."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from aico.core.canonical import nfc
from aico.embedding_service.verification.asking import language_of, question_of
from aico.embedding_service.verification.groups import CALENDAR, DAYS, DURATIONS, FORMS, LANGUAGES, PROGRAMMING, UNITS
from aico.embedding_service.verification.lexicon import is_known
from aico.embedding_service.verification.tokens import Kind, Token, tokenise
from aico.embedding_service.verification.words import FOREIGN, FUNCTION, GENDERED, SMALL, THIRD

_QUOTED = re.compile(
    r"(?<!\w)(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'(?!\w)|`([^`\n]{1,200})`|[“„«]([^”“»\n]{1,200})[”“»])"
)
_LOOKS_LIKE_CODE = re.compile(r"```|[{};]\s*$|\w\(.{0,60}\)|[=!<>]=|=>|->|\w\[.{0,40}\]|^[ \t]{4,}\w", re.MULTILINE)
_FENCE = "```"
_SPACE = re.compile(r"\s+")
_LOOSE = re.compile(r"(?:[,;?\"“”]|(?<![\d!])!)+(?=\s|$)|\.(?=\s|$)|(?<!\S)[\"“”]+")
_QUOTES_WITHIN = 4_000  # characters from the start
_LOOKED_AT = 4_000  # characters in which code is looked for
_TITLE = 4  # words of the shortest that is told from a name
_ACRONYM = 5  # letters
_MOSTLY = 0.6  # of the words capitalised: a title, in which capitals tell nothing


@dataclass(frozen=True)
class TextProfile:
    """Of one text. Made once, compared with many; nothing in it changes."""

    text: str
    tokens: tuple[Token, ...]
    starts: frozenset[int]  # places at which a sentence begins

    @cached_property
    def folded(self) -> str:
        """Equal for texts that differ in nothing but white space, and in case and marks where those mean nothing."""
        text = nfc(self.text)  # x² is not x2
        if self.codelike:
            return text.strip()
        return _SPACE.sub(" ", _LOOSE.sub("", text)).strip().casefold()

    @cached_property
    def codelike(self) -> bool:
        return bool(_LOOKS_LIKE_CODE.search(self.text[:_LOOKED_AT]))

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        """Fenced code, without white space at the ends of lines."""
        fenced = self.text.split(_FENCE)[1::2] if _FENCE in self.text else []
        return tuple("\n".join(line.rstrip() for line in block.strip().splitlines()) for block in fenced)

    @cached_property
    def content(self) -> tuple[Token, ...]:
        return tuple(token for token in self.tokens if token.kind >= Kind.LIGHT)

    @cached_property
    def counts(self) -> Counter[str]:
        """Of the lemmas of content words, numbers and code."""
        return Counter(token.lemma for token in self.content)

    @cached_property
    def kinds(self) -> Mapping[str, Kind]:
        return {token.lemma: token.kind for token in self.tokens}

    @cached_property
    def functions(self) -> Counter[str]:
        return Counter(token.lemma for token in self.tokens if token.kind is Kind.FUNCTION)

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        return tuple(token.lemma for token in self.tokens if token.kind is Kind.NUMBER)

    @cached_property
    def quotes(self) -> frozenset[str]:
        found = _QUOTED.finditer(self.text[:_QUOTES_WITHIN])
        return frozenset(_SPACE.sub(" ", next(filter(None, match.groups()))).strip(" .,").lower() for match in found)

    @cached_property
    def language(self) -> str | None:
        return language_of(self.text)

    @cached_property
    def foreign(self) -> tuple[str, ...]:
        """The small words of languages other than English, in no order; all words of a script that is not Latin."""
        small = sorted(word for word in self._lower if word in FOREIGN and word not in FUNCTION and word not in SMALL)
        return tuple(small) or ((self.language,) if self.language not in {None, "english"} else ())

    @cached_property
    def question(self) -> str | None:
        """None too for several sentences, of which it is open which one asks."""
        several = any(0 < start < len(self.tokens) for start in self.starts)
        return None if several else question_of(self.tokens)

    @cached_property
    def units(self) -> frozenset[str]:
        """A while alone, as in "for days", is no unit; a number of days is, and so is what something is turned into."""
        if UNITS.keys().isdisjoint(self._vocabulary):
            return frozenset()
        before = (None, *self.tokens)
        return frozenset(
            UNITS[token.lemma]
            for token, last in zip(self.tokens, before, strict=False)
            if token.lemma in UNITS and (token.lemma not in DURATIONS or (last and _counts(last)))
        )

    @cached_property
    def languages(self) -> frozenset[str]:
        return self._members(LANGUAGES)

    @cached_property
    def forms(self) -> frozenset[str]:
        return self._members(FORMS)

    @cached_property
    def programming(self) -> frozenset[str]:
        return self._members(PROGRAMMING)

    @cached_property
    def days(self) -> frozenset[str]:
        return self._members(DAYS)

    @cached_property
    def calendar(self) -> frozenset[str]:
        return self._members(CALENDAR)

    @cached_property
    def people(self) -> tuple[str, ...]:
        """The pronouns of third persons, in their order, as he, she or they."""
        if THIRD.keys().isdisjoint(self._vocabulary):
            return ()
        return tuple(THIRD[word] for word in self._lower if word in THIRD)

    @cached_property
    def gendered(self) -> tuple[str, ...]:
        return tuple(person for person in self.people if person in GENDERED)

    @cached_property
    def names(self) -> frozenset[str]:
        """Lemmas of capitalised words that no grammar capitalises. Empty for a title and for lower-case text."""
        return frozenset(self._names())

    @cached_property
    def acronyms(self) -> frozenset[str]:
        return frozenset(token.lemma for token in self.tokens if token.text.isupper() and len(token.text) <= _ACRONYM)

    def _names(self) -> Iterator[str]:
        wordy = [token for token in self.tokens if token.text[:1].isalpha()]
        large = sum(token.text[0].isupper() for token in wordy)
        if len(wordy) >= _TITLE and large > _MOSTLY * len(wordy):
            return
        for place, token in enumerate(self.tokens):
            capital = token.kind is Kind.WORD and token.text[:1].isupper() and len(token.text) > 1
            if capital and (place not in self.starts or not is_known(token.text.lower())):
                yield token.lemma

    @cached_property
    def _lower(self) -> tuple[str, ...]:
        return tuple(token.text.lower() for token in self.tokens)

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        return frozenset(self._lower).union(token.lemma for token in self.tokens)

    def _members(self, groups: Mapping[str, str]) -> frozenset[str]:
        return frozenset(map(groups.__getitem__, groups.keys() & self._vocabulary))


def _counts(token: Token) -> bool:
    return token.kind is Kind.NUMBER or token.lemma in {"to", "into", "in", "per"}


def profile(text: str) -> TextProfile:
    tokens, starts = tokenise(text)
    return TextProfile(text, tokens, starts)
