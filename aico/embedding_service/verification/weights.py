"""Weights of the features, in logits: written by `python -m bench.cache.verifier_fit`."""

CONSERVATIVE = 0.9  # the score from which on to serve where nothing is known of the traffic

BIAS = -6.9189
WEIGHTS = {
    "cosine": 6.5541,
    "closeness": 1.2185,
    "verbatim": 1.0657,
    "straight": 2.2748,
    "added": -0.0652,
    "inserted": -2.1993,
    "replaced": -3.5823,
    "question": -4.9371,
    "direction": -5.0000,
    "numbers": -2.7929,
    "numbers_added": -2.3002,
    "units": -3.9059,
    "negation": -5.0000,
    "negation_doubtful": -0.4893,
    "antonym": -5.0000,
    "turned_back": 5.0000,
    "order": -5.0000,
    "quotes": -2.2444,
    "code": -3.1553,
    "language": -2.6934,
    "form": -2.9493,
    "names": -1.0840,
    "names_added": -2.8165,
    "time": -5.0000,
    "time_added": -1.2941,
    "tense": -5.0000,
    "quantity": -5.0000,
    "quantifier": -5.0000,
    "pronoun": -5.0000,
}
