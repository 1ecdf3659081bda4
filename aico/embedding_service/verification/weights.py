"""Weights of the features: provisional, until they are fitted."""

CONSERVATIVE = 0.8
BIAS = -5.0
WEIGHTS = {
    "cosine": 5.0,
    "closeness": 1.0,
    "substituted": -0.5,
    "substituted_most": -1.5,
    "added": -0.5,
    "added_most": -1.0,
    "light": -0.2,
    "uncommon": -1.0,
    "clean": 1.5,
} | dict.fromkeys(
    (
        "numbers",
        "units",
        "negation",
        "antonym",
        "order",
        "quotes",
        "code",
        "language",
        "form",
        "names",
        "time",
        "quantity",
        "pronoun",
    ),
    -3.5,
)
