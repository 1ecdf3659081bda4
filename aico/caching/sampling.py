"""How often what the cache serves is judged."""

_HITS = 20  # of a namespace that are all audited
_OTHERS = 2000  # decisions of a namespace, that are all judged


def audit_chance(audited: int, share: float) -> float:
    """Of a hit: all at first, then ever fewer, down to `share`. `audited` hits of the namespace were so far."""
    return max(share, min(1.0, (_HITS / (audited + 1)) ** 2))


def near_chance(judged: int, share: float) -> float:
    """Of an answer that was not served, where only the judge costs something: likewise. `judged` decisions so far."""
    return max(share, min(1.0, _OTHERS / (judged + 1)))
