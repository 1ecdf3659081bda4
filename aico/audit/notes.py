"""What has to be said beside the figures of an audit, so that nobody takes them for more than they are."""

from collections.abc import Iterator

from aico.audit.gather import Log
from aico.audit.intervals import FEW_BLOCKS
from aico.audit.report import Report

_SHORT_LOG_SECONDS = 86_400


def notes(report: Report, *, embedded: bool) -> list[str]:
    return list(_notes(report, embedded=embedded))


def _notes(report: Report, *, embedded: bool) -> Iterator[str]:
    yield (
        "Parts are counted in the order in which the service makes them (exact, semantic, route, prefix, batch) and "
        "add up to the total. The column `alone` is each part without the others; those figures overlap."
    )
    if embedded:
        yield (
            "Near duplicates are what the service serves before it has judged anything of your traffic: words are "
            "compared, guards forbid some, and the rest needs a score of 0.9. On support questions some 2 % of such "
            "hits were wrong; how many of yours would be, a log does not tell. Look at them with --examples. With a "
            "judge each kind of traffic gets a cut of its own, which may serve more or nothing, and judging costs."
        )
    if report.evidence.doubtful_hits:
        yield (
            f"{report.evidence.doubtful_hits} semantic hits join turns with different numbers, or calls whose short "
            "answers differed: probably wrong. The hopeful reading counts them, for the service would serve them; the "
            "cautious one does not."
        )
    if report.evidence.semantic.known:
        agreed = report.evidence.semantic
        yield (
            f"Of {agreed.known} semantic hits {agreed.same} had been answered in the very same words "
            f"({agreed.low:.0%} to {agreed.high:.0%}). Other words need not be wrong."
        )
    yield (
        "Routes are an estimate from the prompts' looks and the catalogue's ranks, without any evidence on quality. "
        "Begin with a holdout that always goes to the baseline model, and route more while that shows no loss."
    )
    yield (
        "Batches are read off templates and pauses: runs of 20 calls and more with pauses up to 30 s (hopeful), of 100 "
        "and more paced by a loop or a pool of workers (cautious). Only you know who waits."
    )
    yield "Logged costs count as logged; where there are none, list prices of the day count."


def warnings(report: Report, log: Log, *, embedded: bool) -> list[str]:
    return list(_warnings(report, log, embedded=embedded))


def _warnings(report: Report, log: Log, *, embedded: bool) -> Iterator[str]:
    evidence = report.evidence
    if evidence.blocks < FEW_BLOCKS:
        yield f"The log falls into {evidence.blocks} sessions or spans of time: the intervals are wide, and rough."
    if report.log.calls_without_cost:
        yield f"{report.log.calls_without_cost} calls have no known cost. They are in no figure of money."
    unpriced = [spend.model for spend in report.log.models if spend.cents is None]
    if unpriced:
        yield f"No price is known of {', '.join(unpriced[:5])}{' and others' if len(unpriced) > 5 else ''}."  # noqa: PLR2004 - shown
    if evidence.unranked_calls:
        yield f"{evidence.unranked_calls} calls went to models that the catalogue does not rank. They are not routed."
    if evidence.varied_calls:
        yield (
            f"{evidence.varied_calls} calls ask for variety (a temperature above 0, several answers). The service does "
            "not cache those by itself; --any-temperature counts them as if callers asked for it."
        )
    if not embedded:
        yield "Without embeddings no near duplicates were looked for."
    if log.rows and not log.timed:
        yield "No call says when it was: answers count as kept for ever, and prefixes and batches are not counted."
    elif log.rows and (log.rows[-1].at or 0.0) - (log.rows[0].at or 0.0) < _SHORT_LOG_SECONDS:
        yield "The log spans less than a day. Repeats that come later are not in it."
    if log.compared < 1:
        yield (
            f"{log.compared:.2%} of the last turns were compared. Near duplicates are what was found among those; the "
            "upper end of the interval allows for what was not looked at. All else is of the whole log."
        )
