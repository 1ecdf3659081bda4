"""How often what the cache serves is judged."""

_FIRST = 20  # hits of a namespace that are all audited


def audit_chance(audited: int, share: float) -> float:
    """Of a hit: all at first, then ever fewer, down to `share`. `audited` hits of the namespace were so far.

    What was not served is answered afresh anyway, and judged whenever the budget allows.
    """
    return max(share, min(1.0, (_FIRST / (audited + 1)) ** 2))
