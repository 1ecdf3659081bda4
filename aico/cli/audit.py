"""`aico audit`: what the service would have saved on calls that were already made."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from aico.audit.audit import audit as audit_log
from aico.audit.configuration import configuration
from aico.audit.formats.formats import Format
from aico.audit.gather import Gatherer, Log, Options
from aico.audit.naming import Names
from aico.audit.pricing import Pricer
from aico.audit.reading import STDIN, Lines, read_logs
from aico.audit.savings import Question
from aico.cli.audit_view import show, show_examples, show_lines
from aico.cli.options import SECONDS, window
from aico.cli.show import err, out
from aico.core.errors import InvalidInput
from aico.core.settings import get_settings
from aico.embedding_service.factory import load_embedder
from aico.embedding_service.protocol import Embedder, EmbeddingSetupError
from aico.routing.catalogue import Catalogue
from aico.routing.models import Model
from aico.routing.prices import PriceBook

EXIT_NOTHING_READ = 2
_MOST_EMBEDDERS = 4

Files = Annotated[list[Path], typer.Argument(help="JSON lines, also gzipped; - for standard input.")]
FormatOption = Annotated[Format | None, typer.Option("--format", help="Default: looked up line by line.")]
Life = Annotated[
    str | None, typer.Option("--ttl", parser=window, metavar="SPAN", help="How long an answer is kept: 24h, 7d.")
]
Threshold = Annotated[
    float | None, typer.Option(min=0, max=1, help="Cosine below which no kept question is looked at.")
]
Providers = Annotated[str | None, typer.Option(help="Whose models may be routed to, by commas. Default: all.")]
Floor = Annotated[float, typer.Option(min=0, max=1, help="No model of a lower rank is routed to.")]
NoEmbeddings = Annotated[bool, typer.Option("--no-embeddings", help="Look for no near duplicates.")]
AnyTemperature = Annotated[bool, typer.Option("--any-temperature", help="Count calls that ask for variety as cached.")]
Sample = Annotated[int | None, typer.Option(min=1, help="Compare this many last turns at most.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", dir_okay=False, help="Write the configuration that follows from it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
Examples = Annotated[bool, typer.Option("--examples", help="Show the beginnings of some prompts that repeat.")]


def audit(
    files: Files,
    *,
    log_format: FormatOption = None,
    ttl: Life = None,
    threshold: Threshold = None,
    providers: Providers = None,
    quality_floor: Floor = 0.0,
    no_embeddings: NoEmbeddings = False,
    any_temperature: AnyTemperature = False,
    sample: Sample = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    examples: Examples = False,
) -> None:
    """Estimate what the service would have saved on logged calls. Runs offline, and keeps no word of a prompt.

    Reads logs of OpenAI, LiteLLM and Langfuse. Exit code 0: something was read; 2: nothing was, or the command is not
    right.
    """
    for path in () if config is None else (config, _beside(config)):
        _check_replaceable(path)
    settings = get_settings()
    catalogue = Catalogue.from_settings(settings)
    seconds = settings.cache_ttl_seconds if ttl is None else SECONDS[ttl[-1]] * int(ttl[:-1])
    question = Question(
        ttl=seconds,
        short_ttl=settings.cache_short_ttl_seconds,
        threshold=settings.similarity_threshold if threshold is None else threshold,
        guards=settings.cache_guards,
        floor=quality_floor,
        models=_models(catalogue, providers),
    )
    embedders = [] if no_embeddings else _embedders()
    lines, names = Lines(), Names(catalogue)
    with _progress(files) as told:
        gatherer = Gatherer(names, embedders, Options(any_temperature, sample, examples))
        log = gatherer.gather(read_logs(files, lines, log_format, told))
    if not lines.calls:
        show_lines(lines)
        raise typer.Exit(EXIT_NOTHING_READ)
    _report(_Asked(log, lines, catalogue, question), embedded=bool(embedders), outputs=(config, as_json, examples))


@dataclass(frozen=True)
class _Asked:
    log: Log
    lines: Lines
    catalogue: Catalogue
    question: Question


def _report(asked: _Asked, *, embedded: bool, outputs: tuple[Path | None, bool, bool]) -> None:
    config, as_json, examples = outputs
    pricer = Pricer(PriceBook(asked.catalogue), datetime.now(UTC))
    report, savings = audit_log(asked.log, asked.lines, pricer, asked.question, embedded=embedded)
    if as_json:
        out.print_json(report.model_dump_json())
    else:
        show_lines(asked.lines)
        show(report)
    if examples:
        show_examples(asked.log, savings)
    if config is not None:
        beside = _beside(config)
        made = configuration(report, asked.catalogue, str(beside))
        _write(config, made.env)
        if made.catalogue is not None:
            _write(beside, made.catalogue)


def _models(catalogue: Catalogue, providers: str | None) -> tuple[Model, ...]:
    if providers is None:
        return catalogue.all_models
    named = {name.strip() for name in providers.split(",") if name.strip()}
    unknown = named - {provider.name for provider in catalogue.providers}
    if unknown or not named:
        known = ", ".join(provider.name for provider in catalogue.providers)
        raise InvalidInput(f"--providers: there is no {', '.join(sorted(unknown)) or 'name'}; known are {known}")
    return tuple(model for model in catalogue.all_models if model.provider in named)


def _embedders() -> list[Embedder]:
    """One for each core, up to four: each computes on one thread. On a graphics card one is enough."""
    settings = get_settings()
    count = min(_MOST_EMBEDDERS, os.cpu_count() or 1) if settings.embedding_device == "cpu" else 1
    try:
        return [load_embedder(settings) for _ in range(count)]
    except EmbeddingSetupError as error:
        raise InvalidInput(f"{error.detail}; or give --no-embeddings") from error


@contextmanager
def _progress(files: list[Path]) -> Iterator[Callable[[int], None]]:
    """On standard error; without a length where one of the files is a pipe."""
    known = all(path != STDIN and path.is_file() for path in files)
    size = sum(path.stat().st_size for path in files) if known else None
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("reading", total=size)
        yield lambda count: progress.advance(task, count)


def _beside(config: Path) -> Path:
    """Where the catalogue goes."""
    return config.with_name(f"{config.name}.toml")


def _check_replaceable(path: Path) -> None:
    """Raises InvalidInput for a file that no audit wrote: a `.env` may hold secrets that are nowhere else."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline()
    except OSError:  # there is none; whatever else is wrong, writing says
        return
    if first.strip() and "audit" not in first:
        raise InvalidInput(f"{path} is there, and no audit wrote it: name another file, and copy what you need")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise InvalidInput(f"cannot write {path}: {error.strerror}") from error
    err.print(f"Wrote {path}")
