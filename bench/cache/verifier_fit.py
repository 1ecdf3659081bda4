"""Fits the weights of the pair verifier and says how it does on pairs that it was not fitted on.

    python -m bench.cache.verifier_fit --data DIR [--write]

DIR holds minimal_pairs.dev.jsonl.gz, prompt_pairs.dev.jsonl.gz and intents.dev.jsonl.gz. Fitted is on the first two
and on our own pairs (templates.py); the intents are only looked at. Left out are whole tests of the minimal pairs, all
prompt pairs that are connected by a text, and whole templates.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aico.core.settings import Settings
from aico.embedding_service.factory import load_embedder
from aico.embedding_service.verification.comparison import FEATURES, Verifier
from aico.embedding_service.verification.vectors import WordVectors
from aico.embedding_service.verification.weights import CONSERVATIVE
from bench.cache.fitting import Fitted, Floats, auc, fit
from bench.cache.verifier_pairs import Pairs, folds, intents, minimal, own, prompts

_IMPORTANCE = (1.0, 0.5, 4.0)  # of a pair of ours, a minimal pair and a prompt pair
_PHRASED = 2.0  # of ours that were phrased by hand, beside those from templates
_FOLDS = 8
_FIXED = 0.95  # the cosine that is commonly served
_NEAR, _CLOSE = 0.85, 0.9
_WEIGHTS = Path(__file__).parents[2] / "aico/embedding_service/verification/weights.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="write what was fitted into the package")
    given = parser.parse_args()
    embedder, verifier = load_embedder(Settings()), Verifier(WordVectors.bundled())
    sets = (own(embedder, verifier), minimal(given.data, embedder, verifier), prompts(given.data, embedder, verifier))
    fitted = _fit(sets, [np.ones(len(one.labelled), bool) for one in sets])
    left_out = [_left_out(sets, place, count) for place, count in enumerate((_FOLDS, 100, _FOLDS))]
    for name, one, out in zip(("own pairs", "minimal pairs", "prompt pairs"), sets, left_out, strict=True):
        _summary(name, one, fitted.scores(one.features), out)
    _by_test(sets[1], fitted.scores(sets[1].features), left_out[1])
    near = intents(given.data, embedder, verifier, _NEAR)
    _summary("intents, only looked at", near, fitted.scores(near.features), fitted.scores(near.features))
    _guards("true prompt pairs", sets[2])
    _guards(f"intents, same and cosine >= {_NEAR}", near)
    _show(fitted)
    if given.write:
        _WEIGHTS.write_text(_module(fitted), encoding="utf-8")


def _fit(sets: Sequence[Pairs], chosen: Sequence[NDArray[np.bool_]]) -> Fitted:
    importance = [
        np.where([not pair.template.count("|") and first for pair in one.labelled], _PHRASED, 1.0) * each
        for first, one, each in zip((True, False, False), sets, _IMPORTANCE, strict=True)
    ]
    return fit(
        np.concatenate([one.features[rows] for one, rows in zip(sets, chosen, strict=True)]),
        np.concatenate([one.same[rows] for one, rows in zip(sets, chosen, strict=True)]),
        np.concatenate([each[rows] for each, rows in zip(importance, chosen, strict=True)]),
    )


def _left_out(sets: Sequence[Pairs], place: int, count: int) -> Floats:
    """The score of each pair of a set by a fit that knows nothing of its group."""
    scores = np.zeros(len(sets[place].labelled))
    for out in folds(sets[place].groups, min(count, len(set(sets[place].groups.tolist())))):
        chosen = [np.ones(len(one.labelled), bool) for one in sets]
        chosen[place] = ~out
        scores[out] = _fit(sets, chosen).scores(sets[place].features[out])
    return scores


def _summary(name: str, pairs: Pairs, inside: Floats, outside: Floats) -> None:
    same = pairs.same
    print(f"\n{name}: {len(same):,} pairs, {100 * same.mean():.1f} % of one answer")
    for title, scores, cut in (
        (f"cosine >= {_FIXED}", pairs.cosine, _FIXED),
        (f"score >= {CONSERVATIVE}, in sample", inside, CONSERVATIVE),
        (f"score >= {CONSERVATIVE}, left out", outside, CONSERVATIVE),
    ):
        served = scores >= cut
        wrong, right = served[same == 0].mean(), served[same == 1].mean()
        precision = same[served].mean() if served.any() else np.nan
        print(f"  {title:28} AUC {auc(scores, same):.3f}  wrongly served {100 * wrong:5.1f} %", end="")
        print(f"  wanted served {100 * right:5.1f} %  precision {100 * precision:5.1f} %")


def _by_test(pairs: Pairs, inside: Floats, outside: Floats) -> None:
    print(f"\nserved, by test: cosine >= {_FIXED}, score in sample, score left out")
    for group in dict.fromkeys(pairs.groups.tolist()):
        rows = pairs.groups == group
        kind = "=" if pairs.same[rows].all() else "!"
        shares = [(pairs.cosine >= _FIXED)[rows], (inside >= CONSERVATIVE)[rows], (outside >= CONSERVATIVE)[rows]]
        print(f"  {kind} {group[:70]:70}", *(f"{100 * share.mean():5.0f} %" for share in shares))


def _guards(name: str, pairs: Pairs) -> None:
    seen = zip(pairs.guards, pairs.same, pairs.cosine, strict=True)
    rows, cosine = zip(*((guards, near) for guards, same, near in seen if same), strict=True)
    close = [bool(guards) for guards, near in zip(rows, cosine, strict=True) if near >= _CLOSE]
    shares = 100 * np.mean([bool(one) for one in rows]), 100 * np.mean(close)
    print(f"\nguards on {name}: {shares[0]:.1f} %", end="")
    print(f", {shares[1]:.1f} % where the cosine is at least {_CLOSE}")
    print("  ", dict(Counter(guard.value for guards in rows for guard in guards)))


def _show(fitted: Fitted) -> None:
    print(f"\nbias {fitted.bias:.3f}")
    for name, weight in zip(FEATURES, fitted.weights, strict=True):
        print(f"  {name:18} {weight:8.3f}")


def _module(fitted: Fitted) -> str:
    lines = "\n".join(f'    "{name}": {weight:.4f},' for name, weight in zip(FEATURES, fitted.weights, strict=True))
    return (
        '"""Weights of the features, in logits: written by `python -m bench.cache.verifier_fit`."""\n\n'
        f"CONSERVATIVE = {CONSERVATIVE}  # the score from which on to serve where nothing is known of the traffic\n\n"
        f"BIAS = {fitted.bias:.4f}\nWEIGHTS = {{\n{lines}\n}}\n"
    )


if __name__ == "__main__":
    main()
