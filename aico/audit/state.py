"""A log half way through the service: what each call still costs after the parts that come before."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aico.audit.gather import Log
from aico.audit.naming import Named
from aico.audit.pricing import Pricer
from aico.core.usage import Usage

Cents = NDArray[np.float64]


@dataclass
class State:
    """By row. `listed` is the list price of `usage` with the model `named`; `cents` is what is really paid for it."""

    log: Log
    pricer: Pricer
    cents: Cents
    listed: Cents
    named: list[Named]
    usage: list[Usage | None]
    open: NDArray[np.bool_]  # no cache has answered

    @classmethod
    def before(cls, log: Log, pricer: Pricer) -> Self:
        listed = np.array([pricer.list_cents(row.named, row.usage, row.at) for row in log.rows], np.float64)
        cents = np.array([pricer.cents(row, float(one)) for row, one in zip(log.rows, listed, strict=True)], np.float64)
        return cls(
            log,
            pricer,
            cents,
            listed,
            [row.named for row in log.rows],
            [row.usage for row in log.rows],
            np.ones(len(log.rows), np.bool_),
        )

    def copy(self) -> Self:
        return type(self)(
            self.log,
            self.pricer,
            self.cents.copy(),
            self.listed.copy(),
            list(self.named),
            list(self.usage),
            self.open.copy(),
        )

    def serve(self, hits: NDArray[np.bool_]) -> Cents:
        """From a cache, at no cost. What that saves, by row."""
        saved = np.where(hits & self.open, np.nan_to_num(self.cents), 0.0)
        self.cents -= saved
        self.open &= ~hits
        return saved

    def reprice(self, place: int, listed: float) -> float:
        """The call at another list price: what is really paid moves in proportion, so that a discount stays one."""
        old, paid = float(self.listed[place]), float(self.cents[place])
        now = listed if np.isnan(old) or old == 0 else paid * listed / old
        self.cents[place], self.listed[place] = now, listed
        return paid - now
