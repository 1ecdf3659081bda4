"""What is seen between two texts: numbers in a fixed order, and guards."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from aico.embedding_service.verification.amounts import Amounts, amounts
from aico.embedding_service.verification.asking import questions_differ
from aico.embedding_service.verification.guards import Guard
from aico.embedding_service.verification.logic import quantities_differ, scopes_differ
from aico.embedding_service.verification.order import exchanged, roles, turned_round
from aico.embedding_service.verification.people import names_added, names_differ, pronouns_differ
from aico.embedding_service.verification.polarity import Polarity, polarity
from aico.embedding_service.verification.profile import TextProfile
from aico.embedding_service.verification.reordering import reordered
from aico.embedding_service.verification.residue import How, Pair, Residue, residue
from aico.embedding_service.verification.times import Times, times
from aico.embedding_service.verification.tokens import Kind
from aico.embedding_service.verification.vectors import WordVectors
from aico.embedding_service.verification.wording import beside_the_question, mistyped, rigid, verbatim

# Their names, in the order in which they are kept; a change of meaning is another design, to be learned afresh.
FEATURES = (
    "cosine",  # of the embeddings, -1..1
    "closeness",  # -log(1.02 - cosine): what tells 0.99 from 0.95
    "verbatim",  # 1 where the words are the same, in the same order
    "straight",  # 1 where an active and a passive say the same of the same
    "added",  # weight of the rarest word that only one text has
    "inserted",  # weight of the one that only one text has, where the texts are the same word for word otherwise
    "replaced",  # the same of one for which the other text has another
    "question",  # why against who, and the like
    "direction",  # to something against from it, and other small words of a language that is hardly known
    "numbers",
    "numbers_added",
    "units",
    "negation",
    "negation_doubtful",
    "antonym",
    "turned_back",
    "order",
    "quotes",
    "code",
    "language",
    "form",
    "names",
    "names_added",
    "time",
    "time_added",
    "tense",
    "quantity",
    "quantifier",  # all against some, only, at least, must against may
    "pronoun",
)


@dataclass(frozen=True, slots=True)
class Seen:
    guards: tuple[Guard, ...]
    features: tuple[float, ...]


def see(asked: TextProfile, kept: TextProfile, cosine: float, vectors: WordVectors | None) -> Seen:
    if mistyped(asked, kept):
        kept = asked
    foreign = bool(asked.foreign or kept.foreign)
    if foreign:
        vectors = None  # they know English
    rest = residue(asked, kept, vectors)
    straight = roles(asked, kept)
    swapped = straight is False or (
        straight is None and (exchanged(asked, kept) or reordered(asked, kept, rest, foreign=foreign))
    )
    turns = polarity(asked, kept, rest, exchanged=swapped)
    when = times(asked, kept, rest)
    numbers = amounts(asked, kept)
    guards = tuple(_guards(asked, kept, rest, turns, when, numbers, swapped=swapped))
    values = dict.fromkeys(FEATURES, 0.0)
    values |= {guard.value: 1.0 for guard in guards}
    values |= _closeness(cosine) | _words(asked, kept, rest, vectors)
    values |= {
        "straight": float(straight is True and rest.few),
        "turned_back": float(turns.turned_back),
        "negation_doubtful": float(turns.doubtful),
        "numbers_added": float(min(numbers.one_sided, 3)),
        "time_added": float(when.one_sided),
        "tense": float(when.tense),
        "names_added": float(min(names_added(asked, kept, rest), 3)),
        "question": float(questions_differ(asked.question, kept.question)),
        "direction": float(turned_round(asked, kept) or (foreign and asked.foreign != kept.foreign)),
        "quantifier": float(rest.few and scopes_differ(asked, kept)),
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
    purpose = rigid(asked, kept, rest) and not beside_the_question(asked, kept)
    far = max((weight * (1 - pair.cosine) for weight, pair in zip(weights, others, strict=True)), default=0.0)
    return {
        "verbatim": float(verbatim(asked, kept)),
        "added": max(added, default=0.0),
        "inserted": max(added, default=0.0) * purpose,
        "replaced": far * purpose,
    }


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
    if asked.blocks and kept.blocks and asked.blocks != kept.blocks:
        return True
    if asked.codelike and kept.codelike and asked.counts == kept.counts:
        return [token.lemma for token in asked.tokens] != [token.lemma for token in kept.tokens]
    return bool(_code(asked, kept) and _code(kept, asked))


def _languages_differ(asked: TextProfile, kept: TextProfile) -> bool:
    if asked.languages - kept.languages and kept.languages - asked.languages:
        return True
    return asked.language is not None and kept.language is not None and asked.language != kept.language
