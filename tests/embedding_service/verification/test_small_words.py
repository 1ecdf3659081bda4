"""What small words and the order of words change, and what they do not."""

import pytest

from aico.embedding_service.verification.comparison import Verifier
from aico.embedding_service.verification.weights import CONSERVATIVE

NEAR = 0.98

OTHERS = {
    "only whom": ("Can only nurses open the ward?", "Can nurses only open the ward?"),
    "only, or not": ("Which rooms have only a shower?", "Which rooms have a shower?"),
    "may or must": ("Must a witness answer the judge?", "May a witness answer the judge?"),
    "have to or can": ("Do I have to sell my shares?", "Can I sell my shares?"),
    "most or all": ("Do most trains have a toilet?", "Do all trains have a toilet?"),
    "at least": ("List teams that won at least 4 games", "List teams that won 4 games"),
    "during": ("Did it rain before the match?", "Did it rain during the match?"),
    "in or out": ("How do I sign in?", "How do I sign out?"),
    "non-": ("Show hotels with smoking rooms", "Show hotels with non-smoking rooms"),
    "who acts": ("Which firm bought Lumo?", "Which firm did Lumo buy?"),
    "I or me": ("Can my bank sue me?", "Can I sue my bank?"),
    "which is wrong": ("Did the old man feed the dog?", "Did the man feed the old dog?"),
    "from or to, in French": ("Un vol de Nice à Brest", "Un vol de Brest à Nice"),
    "cases, in German": ("Der Koch ruft den Arzt an", "Den Koch ruft der Arzt an"),
    "of or to, in Spanish": ("Trenes de Vigo", "Trenes a Vigo"),
}
SAME = {
    "before or after": ("How do I stop a service in Linux?", "How to stop a Linux service?"),
    "first or last": ("In Java, how can I sort an array?", "How can I sort an array in Java?"),
    "can or should": ("How can I clean a leather sofa?", "How should I clean a leather sofa?"),
    "an abbreviation": ("What is a promise in JavaScript?", "What is a promise in JS?"),
    "a name without its accent": ("Hotels with a pool in Málaga", "Hotels with a pool in Malaga"),
    "both ways": ("Is Ann connected to Ben?", "Is Ben connected to Ann?"),
}


@pytest.mark.parametrize(("asked", "kept"), OTHERS.values(), ids=OTHERS.keys())
def test_a_small_word_or_another_order_may_ask_for_another_thing(verifier: Verifier, asked: str, kept: str) -> None:
    assert verifier.compare(asked, kept, NEAR).score < CONSERVATIVE
    assert verifier.compare(kept, asked, NEAR).score < CONSERVATIVE


@pytest.mark.parametrize(("asked", "kept"), SAME.values(), ids=SAME.keys())
def test_it_may_also_ask_for_the_same(verifier: Verifier, asked: str, kept: str) -> None:
    compared = verifier.compare(asked, kept, NEAR)
    assert compared.guards == ()
    assert compared.score >= CONSERVATIVE
