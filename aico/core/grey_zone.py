"""Where the cache can neither serve an answer nor rule it out: whether it pays to have a model look first."""

from collections.abc import Callable, Sequence
from decimal import Decimal

# Below it an answer is more likely wrong than right, and nobody is asked: whoever is asked errs too, and the rarer
# right answers are, the more of what is taken for right is not.
LEAST_PROBABLE = 0.5


def worth_asking(probability_same: float, call_cents: Decimal | None, judge_cents: Decimal | None) -> bool:
    """Whether asking saves more, on average, than it costs: with this probability, 0 to 1, the call is not needed.

    None is an unknown price, on which nothing is staked.
    """
    if call_cents is None or judge_cents is None:
        return False
    return Decimal(probability_same) * call_cents > judge_cents


def worthwhile(
    probabilities: Sequence[float],
    call_cents: Decimal | None,
    judge_cents: Callable[[Sequence[int]], Decimal | None],
) -> list[int]:
    """Places of the answers that are worth asking about in one call, which costs `judge_cents` for those places.

    Each must save more than it adds to the cost, in those cases where none before it serves. Whether they serve counts
    as independent; where answers exclude each other, they save more together.
    """
    chosen: list[int] = []
    spent, unserved = Decimal(0), 1.0
    for place, probability in enumerate(probabilities):
        cents = judge_cents([*chosen, place])
        if cents is not None and worth_asking(unserved * probability, call_cents, cents - spent):
            chosen.append(place)
            spent, unserved = cents, unserved * (1 - probability)
    return chosen
