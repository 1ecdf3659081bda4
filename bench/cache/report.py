"""The measured rows as plain-text tables."""

from collections.abc import Sequence

from bench.cache.drift import DriftRow
from bench.cache.pairs import PairRow
from bench.cache.streams import StreamRow
from bench.report import table

_PAIRS = ("pairs", "policy", "n", "hits", "err/N", "err/hits", "wanted served", "wrongly served")
_STREAMS = (
    *("stream", "policy", "target", "prompts", "hits", "err/N", "err/hits", "times the hits of the cosine"),
    *("hits audited", "prompts judged", ""),
)
_DRIFTS = (
    *("target", "changed", "streams", "err/hits before", "worst after", "wrong after", "prompts until it stops"),
    "below twice the target",
)


def pairs_table(rows: Sequence[PairRow]) -> str:
    return table(
        _PAIRS,
        [
            [
                *(row.name, row.policy, str(row.pairs), str(row.hits), str(row.wrong), str(row.wrong_of_hits)),
                *(_share(row.wanted), _share(row.refused)),
            ]
            for row in rows
        ],
    )


def streams_table(rows: Sequence[StreamRow]) -> str:
    return table(
        _STREAMS,
        [
            [
                *(row.stream, row.policy, _share(row.target), str(row.prompts), str(row.hits), str(row.wrong)),
                *(str(row.wrong_of_hits), f"{row.times:.2f}", _share(row.audited), _share(row.judged)),
                {True: "met", False: "missed", None: ""}[row.met],
            ]
            for row in rows
        ],
    )


def drift_table(rows: Sequence[DriftRow]) -> str:
    return table(
        _DRIFTS,
        [
            [
                *(_share(row.target), _share(row.changed), str(row.streams), _share(row.before), _share(row.worst)),
                *(f"{row.wrong:.1f}", f"{row.stopped:.0f}", f"{row.kept} of {row.streams}"),
            ]
            for row in rows
        ],
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
