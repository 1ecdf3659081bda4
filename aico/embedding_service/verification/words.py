"""Closed classes of English words."""

from collections.abc import Mapping


def _all(words: str) -> frozenset[str]:
    return frozenset(words.split())


def groups(text: str) -> dict[str, str]:
    """By word, the first word of its group; groups end in a semicolon."""
    return {word: words[0] for words in map(str.split, text.split(";")) for word in words}


# Words without content of their own, each with the one that it counts as.
FUNCTION = groups(
    """
    be is are was were been being am; have has had having; do does did doing done; can could; will would; should
    shall ought; may might; must; get gets got getting gotten; let lets;
    """
) | {
    word: word
    for word in _all(
        """
    a an the this that these those there here it its i me my mine we us our you your he him his she her hers they
    them their one ones who whom whose what which where when why how whether if because since so such as at by for
    from in into of on onto off out over to toward towards under up down upon via with within without through about
    above below between among against across along around and or nor but not no than then too also only even both
    either neither every each all any some more most less least few fewer much many same other another self
    myself yourself itself themselves before after during while until till like per vs versus
    """
    )
}

# Words by which a sentence takes up what was said before it.
POINTING = _all(
    "this that these those i me my mine we us our he him his she her hers they them their again so then there the"
)
ARTICLES = frozenset({"a", "an", "the"})
# Take nothing away from a question and add nothing to it.
FILLER = _all(
    """
    please pls plz kindly really actually truly literally basically simply just honestly frankly indeed fact well hi
    hello hey dear thanks thank thx ok okay currently now presently very quite rather exactly specifically anyway maybe
    perhaps definitely certainly surely obviously somehow still ever already kinda sorta um uh hmm yes yeah wonder
    wondering tell possible possibly a.k.a etc essentially
    """
)
# Words of asking: they differ between phrasings of one question, and say little about what is asked.
LIGHT = _all(
    """
    best top good great way tip guide guideline tutorial list example sample find show give get need want wish use
    help thing explain describe define definition meaning mean advice recommendation recommend suggestion suggest
    provide overview information info detail question answer learn understand make try do go happen look search some
    something anything someone anyone work people person recommended step instruction proper correct right easy
    quick basic intro introduction usage create write locate return output compare comparison difference thread post
    like know
    idea sure able necessary require receive obtain seem appear issue problem reason cause practice method
    process come take put keep lot kind type sort idea option
    """
)
NEGATORS = _all(
    """
    not no non never without none nobody nothing neither nor cannot unable except excluding lack lacking isnt arent
    nicht kein keine keinen pas jamais nunca niet geen não
    wasnt werent dont doesnt didnt cant couldnt wont wouldnt shouldnt mustnt hasnt havent hadnt aint
    """
)
MORE: Mapping[str, int] = {"more": 1, "less": -1, "fewer": -1, "most": 1, "least": -1}
GENDERED = groups("he him his himself; she her hers herself")
THIRD = GENDERED | groups("they them their theirs themselves")

# The word before it gives its role to what follows; exchanged roles are another question.
ROLES = groups(
    """
    to into onto toward towards -> => → ➔; from; by; than; before until till; after since; over above; under below;
    of; against; for; in within inside; on upon; with using via; without; as; about; at
    """
)
STRONG_ROLES = _all("to from by than before after over under against of on with in as for")
# Relations that hold in both directions.
SYMMETRIC = _all(
    """
    between compare comparison difference differ different similar similarity same equal equivalent marry married
    marriage wed date dating friend friends acquaintance acquainted buddy pal neighbour neighbor near nearby close
    beside adjacent next sibling twin cousin relative related relation relationship partner colleague coworker
    co-worker roommate roommates flatmate classmate teammate spouse engaged divorced divorce separated meet together
    distance intersect overlap parallel compatible incompatible border connected combine mix merge along share
    shared common both correlation correlate correlated opposite ally allied rival match identical cooperate
    collaborate couple pair sister-in-law living talk talking argue arguing argument chat conversation agree
    disagree
    """
)

# The first of each group is how it is written in digits.
NUMBERS = groups(
    """
    0 zero; 2 two; 3 three; 4 four; 5 five; 6 six; 7 seven; 8 eight; 9 nine; 10 ten; 11 eleven; 12 twelve; 13
    thirteen; 14 fourteen; 15 fifteen; 16 sixteen; 17 seventeen; 18 eighteen; 19 nineteen; 20 twenty; 30 thirty; 40
    forty; 50 fifty; 60 sixty; 80 eighty; 90 ninety; 100 hundred; 1000 thousand; 1000000 million; 1st first; 2nd
    second; 3rd third; 4th fourth; 5th fifth
    """
)
# Small words by which a language shows.
SPEAKS = {
    language: _all(words)
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
# Words of other languages that English has too.
SMALL = _all("die des den van sur pour son non del con per sono come para dos na om is das und")
FOREIGN = frozenset().union(*(words for language, words in SPEAKS.items() if language != "english"))
