from enum import StrEnum


class Guard(StrEnum):
    """What may forbid that one answer serves both texts. A tenant that is strict lets any of them forbid a hit."""

    NUMBERS = "numbers"
    UNITS = "units"
    NEGATION = "negation"
    ANTONYM = "antonym"
    ORDER = "order"
    QUOTES = "quotes"
    CODE = "code"
    LANGUAGE = "language"
    FORM = "form"
    NAMES = "names"
    TIME = "time"
    QUANTITY = "quantity"
    PRONOUN = "pronoun"

    @property
    def why(self) -> str:
        """One sentence for users."""
        return _WHY[self]


_WHY = {
    Guard.NUMBERS: "They name different numbers, dates, versions or ids, or the same ones in another order.",
    Guard.UNITS: "They name different units or currencies.",
    Guard.NEGATION: "One negates what the other does not.",
    Guard.ANTONYM: "One says the opposite of a word of the other.",
    Guard.ORDER: "The same words stand in exchanged roles.",
    Guard.QUOTES: "They quote different words.",
    Guard.CODE: "They hold different code, paths, addresses, options or operators.",
    Guard.LANGUAGE: "They are written in different languages, or ask for different ones.",
    Guard.FORM: "They ask for different forms of answer.",
    Guard.NAMES: "They name different people, places or things.",
    Guard.TIME: "They are about different times, or about what is, was or becomes.",
    Guard.QUANTITY: "One says 'and', 'both' or 'all' where the other says 'or', 'either' or 'some'.",
    Guard.PRONOUN: "A pronoun may stand for another person.",
}
