"""Weights of the features, in logits: written by `python -m bench.cache.verifier_fit`."""

CONSERVATIVE = 0.9  # the score from which on to serve where nothing is known of the traffic

BIAS = -6.8742
WEIGHTS = {
    "cosine": 6.5020,
    "closeness": 1.2459,
    "added": -0.1595,
    "inserted": -2.1754,
    "replaced": -3.6406,
    "question": -4.9980,
    "direction": -7.0652,
    "numbers": -2.8143,
    "numbers_added": -2.2632,
    "units": -3.9099,
    "negation": -6.2873,
    "negation_doubtful": -0.4872,
    "antonym": -5.6501,
    "turned_back": 5.3937,
    "order": -7.4156,
    "quotes": -2.2183,
    "code": -3.1680,
    "language": -2.7092,
    "form": -2.9509,
    "names": -1.0927,
    "names_added": -2.8843,
    "time": -6.7169,
    "time_added": -1.3067,
    "tense": -7.0192,
    "quantity": -6.5218,
    "quantifier": -7.3569,
    "pronoun": -6.8093,
}
