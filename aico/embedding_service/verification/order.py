"""Which words stand in which role, and whether two texts exchange them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aico.embedding_service.verification.profile import TextProfile
from aico.embedding_service.verification.tokens import POSSESSIVE, Token
from aico.embedding_service.verification.words import ARTICLES, ROLES, STRONG_ROLES, SYMMETRIC

_LOOKED_AT = 60  # tokens that are left of both texts without their common beginning and end
_CLOSE = 3  # tokens before a preposition that it may relate to what follows
_TWO = 2
_PERSONS = frozenset({"i", "we", "you", "he", "she", "they"})
_PHRASE = 5  # words that one preposition may govern
_BREAKS = frozenset(
    {"and", "or", "be", "do", "can", "will", "have", "should", "must", "may", "if", "because", "when", "that"}
)
_LISTING = frozenset({"and", "or", "vs", "versus"})
_PARTICIPLE_WITHIN = 3  # tokens before "by"
_UNCHANGED = frozenset(
    {"hurt", "put", "cut", "hit", "set", "let", "read", "beat", "shut", "spread", "run", "overcome", "cast", "quit"}
)


class Voice(NamedTuple):
    verb: str
    agent: frozenset[str]
    patient: frozenset[str]


def exchanged(asked: TextProfile, kept: TextProfile) -> bool:
    """Whether two words have taken each other's roles. False where their relation holds in both directions."""
    one, two = _middle(asked.tokens, kept.tokens)
    if not one or not two or len(one) > _LOOKED_AT or len(two) > _LOOKED_AT or _symmetric(asked, kept, one, two):
        return False
    if _owner_exchanged(asked, kept, one, two):
        return True
    return _slots_exchanged(one, two) or _around_exchanged(asked, kept, one, two)


def turned_round(asked: TextProfile, kept: TextProfile) -> bool:
    """To something in the one, from it in the other, with neither word in both."""
    for one, two in ((asked, kept), (kept, asked)):
        if one.functions["from"] and not one.functions["to"] and two.functions["to"] and not two.functions["from"]:
            mine, theirs = _slots(one.tokens[:_LOOKED_AT]), _slots(two.tokens[:_LOOKED_AT])
            if any(slot == "from" and theirs.get(word) == "to" for word, slot in mine.items()):
                return True
    return False


def roles(asked: TextProfile, kept: TextProfile) -> bool | None:
    """Whether who acts and who is acted upon are the same; None where no passive makes a question of it."""
    passives = voice(asked.tokens[:_LOOKED_AT]), voice(kept.tokens[:_LOOKED_AT])
    if passives == (None, None):
        return None
    verb = next(passive.verb for passive in passives if passive)
    one, two = (
        passive or _other(text.tokens[:_LOOKED_AT], verb) for passive, text in zip(passives, (asked, kept), strict=True)
    )
    if one is None or two is None or one.verb != two.verb:
        return None
    if one.agent and two.agent and not one.agent & two.agent and (one.agent & two.patient or two.agent & one.patient):
        return False
    straight = bool(one.agent & two.agent) + bool(one.patient & two.patient)
    crossed = bool(one.agent & two.patient) + bool(one.patient & two.agent)
    return None if straight == crossed else straight > crossed


def voice(tokens: Sequence[Token]) -> Voice | None:
    """Of a passive that names who acts: was the island bought by her."""
    for place, token in enumerate(tokens):
        if token.lemma != "by" or place == 0:
            continue
        for at in range(place - 1, max(place - 1 - _PARTICIPLE_WITHIN, 0), -1):
            if _participle(tokens[at]) and _has_be(tokens[:at]):
                agent = _content(_phrase(tokens[place + 1 :]))
                return Voice(tokens[at].lemma, agent, _content(tokens[:at])) if agent else None
    return None


def _other(tokens: Sequence[Token], verb: str) -> Voice | None:
    """Of a text whose verb names nobody behind "by": active, or a passive that leaves open who acts."""
    at = next((place for place, token in enumerate(tokens) if token.lemma == verb), None)
    if at is None:
        return None
    passive = _participle(tokens[at]) and not tokens[at].text.endswith(("ing", "s")) and _has_be(tokens[:at])
    before, after = _content(tokens[:at]), _content(tokens[at + 1 :])
    return Voice(verb, frozenset(), before) if passive else Voice(verb, before, after)


def _has_be(tokens: Sequence[Token]) -> bool:
    return any(token.lemma in {"be", "get"} for token in tokens)


def _participle(token: Token) -> bool:
    word = token.text.lower()
    return token.content and (word != token.lemma or word.endswith(("ed", "en")) or word in _UNCHANGED)


def _phrase(tokens: Sequence[Token]) -> Sequence[Token]:
    stop = next((at for at, token in enumerate(tokens) if token.lemma in ROLES or token.lemma in _BREAKS), len(tokens))
    return tokens[: min(stop, _PHRASE)]


def _content(tokens: Sequence[Token]) -> frozenset[str]:
    """With pronouns, which act and are acted upon too."""
    return frozenset(token.lemma for token in tokens if token.content or token.lemma in _PERSONS)


def _middle(one: Sequence[Token], two: Sequence[Token]) -> tuple[list[Token], list[Token]]:
    """What is left between the common beginning and end."""
    start, most = 0, min(len(one), len(two))
    while start < most and one[start].lemma == two[start].lemma:
        start += 1
    end = 0
    while end < most - start and one[-1 - end].lemma == two[-1 - end].lemma:
        end += 1
    return list(one[start : len(one) - end]), list(two[start : len(two) - end])


def _symmetric(asked: TextProfile, kept: TextProfile, one: Sequence[Token], two: Sequence[Token]) -> bool:
    """Whether a word that makes order meaningless stands between what is exchanged, or governs it from before."""
    words = {token.lemma for token in (*one, *two)} | {token.text.lower() for token in (*one, *two)}
    if words & SYMMETRIC:
        return True
    governing = {"between", "compare", "comparison", "difference", "distance", "differ", "different", "similarity"}
    return bool(
        governing & (asked.counts.keys() | asked.functions.keys()) & (kept.counts.keys() | kept.functions.keys())
    )


def _slots_exchanged(one: Sequence[Token], two: Sequence[Token]) -> bool:
    """A to B against B to A, or from A in B against from B in A."""
    if any((after, role, before) in _related(two) for before, role, after in _related(one)):
        return True
    mine, theirs = _slots(one), _slots(two)
    moved = {(mine[word], theirs[word]) for word in mine.keys() & theirs.keys() if mine[word] != theirs[word]}
    return any(here and there and (there, here) in moved and {here, there} & STRONG_ROLES for here, there in moved)


def _owner_exchanged(asked: TextProfile, kept: TextProfile, one: Sequence[Token], two: Sequence[Token]) -> bool:
    """A B's against B A's."""
    first, second = [token.lemma for token in one], [token.lemma for token in two]
    owned = all(text.functions[POSSESSIVE] for text in (asked, kept))
    return owned and len(first) == _TWO and first == second[::-1]


def _related(tokens: Sequence[Token]) -> set[tuple[str, str, str]]:
    """What stands close before a preposition, the preposition, and what it governs."""
    found = set[tuple[str, str, str]]()
    for place, token in enumerate(tokens):
        role = ROLES.get(token.text.lower())
        if role in STRONG_ROLES:
            before = _content(tokens[max(place - _CLOSE, 0) : place])
            found |= {
                (left, role, right)
                for left in before
                for right in _content(_phrase(tokens[place + 1 :]))
                if left != right
            }
    return found


def _slots(tokens: Sequence[Token]) -> Mapping[str, str]:
    """By content word, the preposition that governs it, or "" for none. A word that stands twice is left out."""
    slots, twice = dict[str, str](), set[str]()
    role, reach = "", 0
    for token in tokens:
        if token.text.lower() in ROLES:
            role, reach = ROLES[token.text.lower()], _PHRASE
        elif (token.lemma in _BREAKS and token.lemma not in _LISTING) or reach == 0:
            role = ""
        if token.content:
            if token.lemma in slots:
                twice.add(token.lemma)
            slots[token.lemma] = role
            reach = max(reach - 1, 0)
    return {word: slot for word, slot in slots.items() if word not in twice}


def _around_exchanged(asked: TextProfile, kept: TextProfile, one: Sequence[Token], two: Sequence[Token]) -> bool:
    """X P Y in one and Y P X in the other, in sentences: keywords alone have no order."""
    if not asked.functions or not kept.functions:
        return False
    mine = [token.lemma for token in one if token.lemma not in ARTICLES and token.kind]
    theirs = [token.lemma for token in two if token.lemma not in ARTICLES and token.kind]
    if not mine or sorted(mine) != sorted(theirs) or mine[0] not in theirs or theirs[0] not in mine:
        return False
    first, last = theirs.index(mine[0]), mine.index(theirs[0])
    before, after = mine[last:], theirs[first:]
    between = mine[len(after) : last]
    return (
        not _LISTING.issuperset(between)
        and mine[: len(after)] == after
        and theirs[: len(before)] == before
        and theirs[len(before) : first] == between
    )
