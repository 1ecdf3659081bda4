"""Audits of lines, with prices that a test can reckon with."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from audit.logs import Json, write

from aico.audit.audit import audit
from aico.audit.formats.formats import Format
from aico.audit.gather import Gatherer, Log, Options
from aico.audit.naming import Names
from aico.audit.pricing import Pricer
from aico.audit.reading import Lines, read_logs
from aico.audit.report import Part, Report
from aico.audit.savings import Question, Savings
from aico.core.settings import Settings
from aico.embedding_service.protocol import Embedder
from aico.routing.catalogue import Catalogue
from aico.routing.models import Model, PriceEntry
from aico.routing.prices import PriceBook

# US dollars per million tokens: input, output, cached input read and written.
PRICES = {
    ("openai", "gpt-5.4"): ("2.5", "15", "0.25", None),
    ("openai", "gpt-5.4-nano"): ("0.2", "1.25", "0.02", None),
    ("anthropic", "claude-sonnet-5-5"): ("2", "10", "0.2", "2.5"),
}
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SETTINGS = Settings(_env_file=None)  # type: ignore[call-arg] # pydantic-settings' own argument


def catalogue() -> Catalogue:
    entries = [
        PriceEntry.model_validate(
            {
                "provider": provider,
                "model": model,
                "from": date(2026, 1, 1),
                "input": given,
                "output": made,
                "cache_read": read,
                "cache_write": written,
            }
        )
        for (provider, model), (given, made, read, written) in PRICES.items()
    ]
    known = Catalogue.from_settings(SETTINGS)
    return replace(known, price_entries=(*known.price_entries, *entries))


def model(name: str) -> Model:
    return next(one for one in catalogue().all_models if one.id == name)


def gathered(
    path: Path | Sequence[Path],
    lines: Lines,
    *,
    named: Format | None = None,
    embedder: Embedder | None = None,
    options: Options | None = None,
) -> Log:
    paths = [path] if isinstance(path, Path) else path
    gatherer = Gatherer(Names(catalogue()), [] if embedder is None else [embedder], options or Options())
    return gatherer.gather(read_logs(paths, lines, named))


def audited(
    folder: Path,
    lines: Iterable[Json],
    question: Question | None = None,
    *,
    embedder: Embedder | None = None,
    options: Options | None = None,
) -> Report:
    return both(folder, lines, question, embedder=embedder, options=options)[0]


def both(
    folder: Path,
    lines: Iterable[Json],
    question: Question | None = None,
    *,
    embedder: Embedder | None = None,
    options: Options | None = None,
) -> tuple[Report, Savings]:
    """Nothing is routed unless the question names models."""
    read = Lines()
    log = gathered(write(folder / "log.jsonl", lines), read, embedder=embedder, options=options)
    pricer = Pricer(PriceBook(catalogue()), NOW)
    return audit(log, read, pricer, question or Question(), embedded=embedder is not None)


def part(report: Report, name: str) -> Part:
    return next(one for one in report.parts if one.name == name)
