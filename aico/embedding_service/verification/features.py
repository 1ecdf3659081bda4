"""What is seen between two texts: numbers in a fixed order, and guards."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from aico.embedding_service.verification.amounts import Amounts, amounts
from aico.embedding_service.verification.guards import Guard
from aico.embedding_service.verification.logic import quantifiers_differ, quantities_differ
from aico.embedding_service.verification.order import exchanged, roles
from aico.embedding_service.verification.people import names_added, names_differ, pronouns_differ
from aico.embedding_service.verification.polarity import Polarity, polarity
from aico.embedding_service.verification.profile import TextProfile
from aico.embedding_service.verification.residue import How, Pair, Residue, residue
from aico.embedding_service.verification.times import Times, times
from aico.embedding_service.verification.tokens import Kind
from aico.embedding_service.verification.vectors import WordVectors
from aico.embedding_service.verification.words import ARTICLES

# Their names, in the order in which they are kept; a change of meaning is another design, to be learned afresh.
FEATURES = (
    "cosine",  # of the embeddings, -1..1
    "closeness",  # -log(1.02 - cosine): what tells 0.99 from 0.95
    "substituted",  # weight of words for which the other text has others
    "substituted_most",  # of one of them
    "substituted_far",  # the same, more for what has nothing to do with each other
    "synonyms",
    "respelt",  # other forms, abbreviations, slips
    "added",  # weight of words that only one text has
    "added_most",
    "inserted",  # weight of the one that only one text has, where the texts are the same word for word otherwise
    "replaced",  # the same of one for which the other text has another
    "light",  # words of asking that differ
    "uncommon",  # share of all content that is not common to both, 0..1
    "functions",  # function words that differ
    "clean",  # 1 where the content is the same
    "question",
    "numbers",
    "numbers_added",
    "units",
    "negation",
    "negation_doubtful",
    "antonym",
    "turned_back",
    "order",
    "quotes",
    "quotes_added",
    "code",
    "code_added",
    "language",
    "form",
    "names",
    "names_added",
    "time",
    "time_added",
    "tense",
    "quantity",
    "quantifier",
    "pronoun",
    "person",
    "clipped",
)


@dataclass(frozen=True, slots=True)
class Seen:
    guards: tuple[Guard, ...]
    features: tuple[float, ...]


def see(asked: TextProfile, kept: TextProfile, cosine: float, vectors: WordVectors | None) -> Seen:
    rest = residue(asked, kept, vectors)
    straight = roles(asked, kept)
    swapped = straight is False or (straight is None and exchanged(asked, kept))
    turns = polarity(asked, kept, rest, exchanged=swapped)
    when = times(asked, kept, rest)
    numbers = amounts(asked, kept)
    guards = tuple(_guards(asked, kept, rest, turns, when, numbers, swapped=swapped))
    values = dict.fromkeys(FEATURES, 0.0)
    values |= {guard.value: 1.0 for guard in guards}
    values |= _closeness(cosine) | _words(asked, kept, rest, vectors)
    values |= {
        "turned_back": float(turns.turned_back),
        "negation_doubtful": float(turns.doubtful),
        "numbers_added": float(min(numbers.one_sided, 3)),
        "time_added": float(when.one_sided),
        "tense": float(when.tense),
        "quotes_added": float(bool(asked.quotes) != bool(kept.quotes) and not _said_anyway(asked, kept)),
        "code_added": float(min(abs(_code(asked, kept) - _code(kept, asked)), 3)),
        "names_added": float(min(names_added(asked, kept, rest), 3)),
        "question": float(asked.question is not None and kept.question is not None and asked.question != kept.question),
        "quantifier": float(quantifiers_differ(asked, kept)),
        "person": float(bool(asked.people) != bool(kept.people)),
    }
    return Seen(guards, tuple(values[name] for name in FEATURES))


def _guards(
    asked: TextProfile,
    kept: TextProfile,
    rest: Residue,
    turns: Polarity,
    when: Times,
    numbers: Amounts,
    *,
    swapped: bool,
) -> Iterator[Guard]:
    turning = not turns.turned_back
    seen = {
        Guard.NUMBERS: numbers.numbers,
        Guard.UNITS: numbers.units,
        Guard.NEGATION: turns.negation and turning,
        Guard.ANTONYM: turns.opposed and turning,
        Guard.ORDER: swapped and turning,
        Guard.QUOTES: bool(asked.quotes and kept.quotes) and asked.quotes != kept.quotes,
        Guard.CODE: _code_differs(asked, kept),
        Guard.LANGUAGE: _languages_differ(asked, kept),
        Guard.FORM: bool(asked.forms - kept.forms and kept.forms - asked.forms),
        Guard.NAMES: names_differ(asked, kept, rest),
        Guard.TIME: when.differ and turning,
        Guard.QUANTITY: quantities_differ(asked, kept),
        Guard.PRONOUN: pronouns_differ(asked, kept),
    }
    return (guard for guard, fires in seen.items() if fires)


def _closeness(cosine: float) -> dict[str, float]:
    bounded = min(max(cosine, -1.0), 1.0)
    return {"cosine": bounded, "closeness": -math.log(1.02 - bounded)}


def _words(asked: TextProfile, kept: TextProfile, rest: Residue, vectors: WordVectors | None) -> dict[str, float]:
    others = [pair for pair in rest.of(How.OTHER) if not _light(pair, asked, kept)]
    weights = [_weight(asked, kept, vectors, pair.asked, pair.kept) for pair in others]
    alone = [*rest.asked, *rest.kept]
    added = [_weight(asked, kept, vectors, word) for word in alone if _kind(asked, kept, word) is not Kind.LIGHT]
    light = sum(_light(pair, asked, kept) for pair in rest.of(How.OTHER)) + len(alone) - len(added)
    common = len(asked.counts.keys() & kept.counts.keys())
    apart = 2 * len(others) + len(alone)
    rigid = _rigid(asked, kept, rest)
    far = max((weight * (1 - pair.cosine) for weight, pair in zip(weights, others, strict=True)), default=0.0)
    moved = sum(((asked.functions - kept.functions) + (kept.functions - asked.functions)).values())
    return {
        "substituted": min(sum(weights), 4.0),
        "substituted_most": max(weights, default=0.0),
        "substituted_far": min(
            sum(weight * (1 - pair.cosine) for weight, pair in zip(weights, others, strict=True)), 4.0
        ),
        "synonyms": min(len(rest.of(How.SYNONYM)), 4.0),
        "respelt": min(len(rest.of(How.SAME)), 4.0),
        "added": min(sum(added), 5.0),
        "added_most": max(added, default=0.0),
        "inserted": max(added, default=0.0) * rigid,
        "replaced": far * rigid,
        "light": min(light, 5.0),
        "uncommon": apart / max(apart + 2 * common, 1),
        "functions": math.log1p(moved),
        "clean": float(not (others or alone)),
    }


def _rigid(asked: TextProfile, kept: TextProfile, rest: Residue) -> bool:
    """Whether all that both say stands in the same order, with hardly another function word."""
    left = {word for pair in rest.pairs for word in (pair.asked, pair.kept)} | {*rest.asked, *rest.kept}
    one, two = (
        [token.lemma for token in text.tokens if token.kind and token.lemma not in left and token.lemma not in ARTICLES]
        for text in (asked, kept)
    )
    return one == two


def _light(pair: Pair, asked: TextProfile, kept: TextProfile) -> bool:
    return asked.kinds.get(pair.asked) is Kind.LIGHT and kept.kinds.get(pair.kept) is Kind.LIGHT


def _kind(asked: TextProfile, kept: TextProfile, word: str) -> Kind:
    return asked.kinds.get(word, kept.kinds.get(word, Kind.WORD))


def _weight(asked: TextProfile, kept: TextProfile, vectors: WordVectors | None, *words: str) -> float:
    """1 for a rare word, less for one that is in everybody's mouth; the rarer of several counts."""
    known = [1.0 if _kind(asked, kept, word) > Kind.WORD or not vectors else vectors.rarity(word) for word in words]
    return max(known)


def _code(text: TextProfile, other: TextProfile) -> int:
    return sum(token.kind is Kind.CODE and token.lemma not in other.counts for token in text.content)


def _code_differs(asked: TextProfile, kept: TextProfile) -> bool:
    if asked.programming - kept.programming and kept.programming - asked.programming:
        return True
    if asked.codelike and kept.codelike and asked.counts == kept.counts:
        return [token.lemma for token in asked.content] != [token.lemma for token in kept.content]
    return bool(_code(asked, kept) and _code(kept, asked))


def _languages_differ(asked: TextProfile, kept: TextProfile) -> bool:
    if asked.languages - kept.languages and kept.languages - asked.languages:
        return True
    return asked.language is not None and kept.language is not None and asked.language != kept.language


def _said_anyway(asked: TextProfile, kept: TextProfile) -> bool:
    """Whether what the one quotes stands in the other without marks."""
    return all(quote in other.folded for text, other in ((asked, kept), (kept, asked)) for quote in text.quotes)
