"""Which guards object to a pair of texts, and which pairs they leave alone."""

import pytest

from aico.embedding_service.verification.comparison import Guard, Verifier

NEAR = 0.97

OBJECTIONS = {
    Guard.NUMBERS: [
        ("Name 5 rivers of Africa", "Name 7 rivers of Africa"),
        ("Where is order 48213?", "Where is order 48231?"),
        ("What is new in release 2.4 of the tool?", "What is new in release 2.5 of the tool?"),
        ("Explain v3.2 of the protocol", "Explain v3.3 of the protocol"),
        ("How do I turn on http2?", "How do I turn on http3?"),
        ("Move the meeting from 9 to 11", "Move the meeting from 11 to 9"),
        ("Tell me about the second option", "Tell me about the third option"),
    ],
    Guard.UNITS: [
        ("5km to miles", "5 miles in km"),
        ("Is 40 celsius hot?", "Is 40 fahrenheit hot?"),
        ("Wake me at 7 am", "Wake me at 7 pm"),
        ("Send 20 dollars to Ann", "Send 20 euros to Ann"),
        ("A refund of $15", "A refund of €15"),
    ],
    Guard.NEGATION: [
        ("What should a nurse do?", "What should a nurse not do?"),
        ("Which foods are healthy?", "Which foods aren't healthy?"),
        ("Can I fly with a passport?", "Can I fly without a passport?"),
        ("How do I become a rich person?", "How do I become a person who is not rich?"),
    ],
    Guard.ANTONYM: [
        ("How do I enable notifications?", "How do I disable notifications?"),
        ("Is it safe to swim here?", "Is it dangerous to swim here?"),
        ("How can I be more patient?", "How can I be less patient?"),
        ("Who can unlock the door?", "Who can lock the door?"),
        ("Sort the list in ascending order", "Sort the list in descending order"),
    ],
    Guard.ORDER: [
        ("Did Wanda call Igor?", "Did Igor call Wanda?"),
        ("Did Wanda call Igor?", "Was Wanda called by Igor?"),
        ("Did Wanda buy the boat?", "Was Wanda bought by the boat?"),
        ("My flight was cancelled by the airline, what now?", "I cancelled my flight with the airline, what now?"),
        ("Trains from Vienna to Riga", "Trains from Riga to Vienna"),
        ("Convert YAML to TOML", "Convert TOML to YAML"),
        ("Buy wine in Chile and sell it in Peru", "Buy wine in Peru and sell it in Chile"),
        ("Is Wanda Igor's teacher?", "Is Igor Wanda's teacher?"),
        ("Is Oslo bigger than Riga?", "Is Riga bigger than Oslo?"),
    ],
    Guard.QUOTES: [("What does 'carpe diem' mean?", "What does 'memento mori' mean?")],
    Guard.CODE: [
        ("What does git reset --soft do?", "What does git reset --hard do?"),
        ("Solve x^2-5x+6=0", "Solve x^2-5x-6=0"),
        ("Select users where age > 30", "Select users where age < 30"),
        ("chmod +x run.sh", "chmod -x run.sh"),
        ("def f(x): return x + 1", "def f(x): return x - 1"),
        ("Delete /var/log/a.txt", "Delete /var/log/b.txt"),
        ("Read a file in Python", "Read a file in Kotlin"),
        ("What does `a == b` do?", "What does `a != b` do?"),
        ("Explain\n```\nif a and b:\n    go()\n```", "Explain\n```\nif b and a:\n    go()\n```"),
    ],
    Guard.LANGUAGE: [
        ("Translate this to Polish", "Translate this to Korean"),
        ("What is the price of the ticket and where can I buy it?", "Was kostet die Karte und wo kann ich sie kaufen?"),
    ],
    Guard.FORM: [("Return the names as JSON", "Return the names as CSV")],
    Guard.NAMES: [
        ("Is Ann Lee a painter?", "Is Ann Kowalski a painter?"),
        ("Is Marc a painter?", "Is Mark a painter?"),
        ("Hotels near the station in Lisbon", "Hotels near the station in Dakar"),
    ],
    Guard.TIME: [
        ("Should I eat before running?", "Should I eat after running?"),
        ("What is on today in the theatre?", "What is on tomorrow in the theatre?"),
        ("Weather in March and April", "Weather in March and May, or in June"),
        ("Is Wanda a dentist?", "Is Wanda becoming a dentist?"),
        ("Is Wanda a dentist?", "Did Wanda use to be a dentist?"),
    ],
    Guard.QUANTITY: [
        ("Is Wanda a baker or a singer?", "Is Wanda both a baker and a singer?"),
        ("May I visit Rome or Milan?", "May I visit Rome and Milan?"),
    ],
    Guard.PRONOUN: [
        ("Ann met Ben. Will he call her?", "Ann met Ben. Will she call him?"),
        ("If Ann and Ben were rich, would her son be?", "If Ann and Ben were rich, would Ben's son be?"),
    ],
}

HARMLESS = [
    ("Name 5 rivers of Africa", "Please name five rivers of Africa"),
    ("Convert 5km to miles", "5 kilometers in miles"),
    ("How much is $1,000 in yen?", "How much are 1000 dollars in yen?"),
    ("I don't know how to log in", "How do I log in?"),
    ("I can't open the app", "How do I open the app?"),
    ("I think the rate is not right", "I think the rate is wrong"),
    ("How can I be more visible?", "How can I be less invisible?"),
    ("Did Wanda call Igor?", "Was Igor called by Wanda?"),
    ("Did Wanda buy the boat?", "Was the boat bought by Wanda?"),
    ("Is Wanda married to Igor?", "Is Igor married to Wanda?"),
    ("Is Wanda taller than Igor?", "Is Igor shorter than Wanda?"),
    ("nuxt vs next", "next vs nuxt"),
    ("Compare tea with coffee", "Compare coffee with tea"),
    ("How far is it between Rome and Milan?", "How far is it between Milan and Rome?"),
    ("memory leak in python requests", "python memory leak in requests"),
    ("site:bbc.com climate article", "climate article site:bbc.com"),
    ("What's on in the U.S. today?", "What is on today in the United States?"),
    ("Who is the president of France?", "Who is the French president?"),
    ("Rules of the EU", "Rules of the European Union"),
    ("JS: reverse an array", "Reverse an array in JavaScript"),
    ("is netflix down", "Is Netflix down right now?"),
    ("Is that owl asleep?", "Is that owl really asleep?"),
    ("Can I choose between tea or coffee?", "Can I choose between tea and coffee?"),
    ("How do I migrate to postgres?", "Migration to Postgres, how?"),
    ("Is Ann a baker or a singer?", "Is Ann a singer or a baker?"),
    ("I am used to be early, is that usual?", "I'm used to be early, is that usual?"),
]


@pytest.mark.parametrize(
    ("guard", "asked", "kept"), [(guard, *pair) for guard, pairs in OBJECTIONS.items() for pair in pairs]
)
def test_a_guard_objects_to_what_changes_the_answer(verifier: Verifier, guard: Guard, asked: str, kept: str) -> None:
    assert guard in verifier.compare(asked, kept, NEAR).guards
    assert guard in verifier.compare(kept, asked, NEAR).guards


@pytest.mark.parametrize(("asked", "kept"), HARMLESS)
def test_no_guard_objects_to_another_way_of_asking_the_same(verifier: Verifier, asked: str, kept: str) -> None:
    assert verifier.compare(asked, kept, NEAR).guards == ()
    assert verifier.compare(kept, asked, NEAR).guards == ()


def test_every_guard_says_why_in_one_sentence() -> None:
    sentences = [guard.why for guard in Guard]
    assert all(sentence.endswith(".") and sentence.count(".") == 1 for sentence in sentences)
    assert len(set(sentences)) == len(Guard)


def test_every_guard_has_an_objection_that_is_tested() -> None:
    assert set(OBJECTIONS) == set(Guard)
