"""One line of the table: a router on one set of outcomes, as means over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from bench.routing.metrics import Recovered


@dataclass(frozen=True, slots=True)
class Row:
    table: str
    router: str
    setting: str
    seeds: int
    apgr: float
    deviation: float  # of the APGR, between seeds
    cpt50: float
    cpt80: float
    cost95: float
    aim: str = ""
    met: bool | None = None


def row(table: str, router: str, setting: str, found: Sequence[Recovered], aim: float | None = None) -> Row:
    """`aim` is the least APGR."""
    mean = {one.name: float(np.mean([getattr(each, one.name) for each in found])) for one in fields(Recovered)}
    return Row(
        table,
        router,
        setting,
        len(found),
        mean["apgr"],
        float(np.std([each.apgr for each in found])),
        mean["cpt50"],
        mean["cpt80"],
        mean["cost95"],
        "" if aim is None else f">= {aim:.3f}",
        None if aim is None else mean["apgr"] >= aim,
    )
