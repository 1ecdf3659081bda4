"""Weights of the features, in logits: written by `python -m bench.cache.verifier_fit`."""

CONSERVATIVE = 0.9  # the score from which on to serve where nothing is known of the traffic

BIAS = -6.8967
WEIGHTS = {
    "cosine": 6.5262,
    "closeness": 1.2243,
    "verbatim": 0.8160,
    "straight": 2.2718,
    "added": -0.0926,
    "inserted": -2.1834,
    "replaced": -3.5919,
    "question": -4.9464,
    "direction": -5.0000,
    "numbers": -2.7967,
    "numbers_added": -2.2849,
    "units": -3.9055,
    "negation": -5.0000,
    "negation_doubtful": -0.4860,
    "antonym": -5.0000,
    "turned_back": 5.0000,
    "order": -5.0000,
    "quotes": -2.2510,
    "code": -3.1581,
    "language": -2.6930,
    "form": -2.9452,
    "names": -1.0781,
    "names_added": -2.8982,
    "time": -5.0000,
    "time_added": -1.2931,
    "tense": -5.0000,
    "quantity": -5.0000,
    "quantifier": -5.0000,
    "pronoun": -5.0000,
}
