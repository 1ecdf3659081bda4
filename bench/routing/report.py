"""The measured rows as plain-text tables."""

from collections.abc import Sequence

from bench.report import table
from bench.routing.deciding import Cost
from bench.routing.row import Row
from bench.routing.several import ManyRow

_HEADINGS = ("table", "router", "setting", "seeds", "APGR", "sd", "CPT(50)", "CPT(80)", "cost@95", "aim", "")
_MANY = ("nine models", "labels", "seeds", "cost at best", "at 95 %", "highest quality", "aim", "")
_COSTS = ("decision", "CPU ms", "aim", "")


def pairs_table(rows: Sequence[Row]) -> str:
    return table(
        _HEADINGS,
        [
            [
                *(row.table, row.router, row.setting, str(row.seeds), f"{row.apgr:.3f}", f"{row.deviation:.3f}"),
                *(f"{row.cpt50:.1%}", f"{row.cpt80:.1%}", f"{row.cost95:.3f}", row.aim or "-", _verdict(row.met)),
            ]
            for row in rows
        ],
    )


def many_table(rows: Sequence[ManyRow]) -> str:
    return table(
        _MANY,
        [
            [
                *(row.router, str(row.labels), str(row.seeds), _cost(row.at_best), _cost(row.at_95)),
                *(f"{row.highest:.3f}", row.aim or "-", _verdict(row.met)),
            ]
            for row in rows
        ],
    )


def cost_table(rows: Sequence[Cost]) -> str:
    return table(_COSTS, [[row.what, f"{row.cpu_ms:.3f}", row.aim or "-", _verdict(row.met)] for row in rows])


def _cost(value: float | None) -> str:
    return "not reached" if value is None else f"{value:.3f}"


def _verdict(met: bool | None) -> str:  # noqa: FBT001 - of a row
    return {True: "met", False: "missed", None: ""}[met]
