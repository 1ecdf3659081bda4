"""How an audit looks on a terminal."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
from rich.markup import escape
from rich.table import Column, Table

from aico.audit.caching import EXACT, NEAR
from aico.audit.gather import Log
from aico.audit.reading import Lines
from aico.audit.report import Part, Report
from aico.audit.savings import Savings
from aico.cli.show import cents, err, out

_TITLES: Mapping[str, str] = {
    "exact": "identical requests",
    "semantic": "near duplicates",
    "route": "over-powered routes (estimate)",
    "prefix": "cacheable prefixes",
    "batch": "batchable calls",
    "total": "together",
}
_MODELS, _EXAMPLES = 8, 10


def show_lines(lines: Lines) -> None:
    """What was not used of the files, and why; on standard error."""
    for reason, count in lines.aside.most_common():
        err.print(f"[dim]{count} lines set aside: {escape(reason)}[/dim]", highlight=False)
    if lines.unreadable:
        err.print(f"[yellow]{lines.unreadable.total()} lines could not be read[/yellow]", highlight=False)
    for source, number, why in lines.shown:
        err.print(f"  {escape(source)}:{number}: {escape(why)}", highlight=False)
    if not lines.calls:
        err.print("[red]error:[/red] no call could be read", highlight=False)


def show(report: Report) -> None:
    log = report.log
    span = "" if log.since is None else f", {log.since:%Y-%m-%d %H:%M} to {log.until:%Y-%m-%d %H:%M} UTC"
    out.print(f"{log.calls} calls{span}, cost {cents(log.cents)}", highlight=False)
    out.print(_spends(report))
    table = Table("part", *(Column(name, justify="right") for name in ("calls", "saving", "95 %", "of cost", "alone")))
    for part in (*report.parts, report.total):
        table.add_row(*_row(part), style="bold" if part.name == "total" else None)
    out.print(table)
    for note in report.notes:
        out.print(f"- {escape(note)}", highlight=False)
    for warning in report.warnings:
        out.print(f"[yellow]- {escape(warning)}[/yellow]", highlight=False)


def _spends(report: Report) -> Table:
    table = Table("model", "provider", *(Column(name, justify="right") for name in ("rank", "calls", "cost")))
    for spend in report.log.models[:_MODELS]:
        rank = "unknown" if spend.rank is None else f"{spend.rank:.2f}"
        table.add_row(escape(spend.model), spend.provider or "unknown", rank, str(spend.calls), cents(spend.cents))
    if len(report.log.models) > _MODELS:
        table.add_row(f"and {len(report.log.models) - _MODELS} more", "", "", "", "")
    return table


def _row(part: Part) -> tuple[str, ...]:
    saved = _range(part.cents.cautious, part.cents.hopeful)
    alone = "" if part.alone is None else cents(part.alone)
    return (
        _TITLES[part.name],
        str(part.calls),
        saved,
        f"{cents(part.cents.low)} to {cents(part.cents.high)}",
        f"{part.share:.1%}",
        alone,
    )


def _range(low: Decimal, high: Decimal) -> str:
    return cents(high) if low == high else f"{cents(min(low, high))} to {cents(max(low, high))}"


def show_examples(log: Log, savings: Savings) -> None:
    """The beginnings of prompts that would have been served, on the terminal alone."""
    for how, title in ((EXACT, "identical"), (NEAR, "near")):
        for place in np.flatnonzero(savings.served.mask(how))[:_EXAMPLES].tolist():
            ours, theirs = log.rows[place], log.rows[savings.served.source[place]]
            doubt = "  (doubtful)" if savings.doubtful[place] else ""
            err.print(
                f"{title}{doubt}: {escape(repr(ours.excerpt))}  <-  {escape(repr(theirs.excerpt))}", highlight=False
            )
