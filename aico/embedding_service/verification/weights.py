"""Weights of the features, in logits: written by `python -m bench.cache.verifier_fit`."""

CONSERVATIVE = 0.9  # the score from which on to serve where nothing is known of the traffic

BIAS = -6.9039
WEIGHTS = {
    "cosine": 6.5609,
    "closeness": 1.2131,
    "verbatim": 1.0610,
    "straight": 2.2697,
    "added": -0.0958,
    "inserted": -2.1797,
    "replaced": -3.5954,
    "question": -4.9432,
    "direction": -5.0000,
    "numbers": -2.7939,
    "numbers_added": -2.2831,
    "units": -3.9012,
    "negation": -5.0000,
    "negation_doubtful": -0.4879,
    "antonym": -5.0000,
    "turned_back": 5.0000,
    "order": -5.0000,
    "quotes": -2.2487,
    "code": -3.1573,
    "language": -2.6898,
    "form": -2.9443,
    "names": -1.0869,
    "names_added": -2.8986,
    "time": -5.0000,
    "time_added": -1.2936,
    "tense": -5.0000,
    "quantity": -5.0000,
    "quantifier": -5.0000,
    "pronoun": -5.0000,
}
