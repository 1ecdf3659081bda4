"""The measured rows as a plain-text table."""

from collections.abc import Sequence

from bench import embedding
from bench.measure import Row

_HEADINGS = (
    *("", "callers", "answers/s", "p50 ms", "p99 ms", "CPU-s per 1,000: API", "workers", "Postgres", "Redis", "client"),
    *("API busy", "rate / bare", "API CPU / bare", "added p50 ms", "as expected", "aim", ""),
)
_EMBEDDING_HEADINGS = (
    "runtime, 1 thread",
    "prompts",
    "batch",
    "texts/CPU-s",
    "texts/s",
    "ratio",
    "min cosine",
    "aim",
    "",
)
_AIM_RATIO, _AIM_COSINE = 3.0, 0.999


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, the first flush left and the others flush right."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    lines = [headings, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def product_table(rows: Sequence[Row]) -> str:
    return table(_HEADINGS, [_cells(row) for row in rows])


def _cells(row: Row) -> list[str]:
    cpu = [_figure(row.cpu.get(group), 3) for group in ("api", "workers", "postgres", "redis", "client")]
    return [
        *(row.name, str(row.callers), _figure(row.rate, 0), _figure(row.p50_ms, 2), _figure(row.p99_ms, 2)),
        *cpu,
        "-" if row.api_busy is None else f"{row.api_busy:.0%}",
        *(_figure(row.rate_ratio, 2), _figure(row.api_cpu_ratio, 2), _figure(row.added_p50_ms, 2)),
        *(f"{row.expected_share:.1%}", row.aim or "-", _verdict(row.met)),
    ]


def embedding_table(rows: Sequence[embedding.Row]) -> str:
    return table(_EMBEDDING_HEADINGS, [_embedding_cells(row) for row in rows])


def _embedding_cells(row: embedding.Row) -> list[str]:
    aimed = row.runtime == embedding.DEFAULT
    met = None
    if aimed and row.ratio_to_baseline is not None and row.min_cosine is not None:
        met = row.ratio_to_baseline >= _AIM_RATIO and row.min_cosine >= _AIM_COSINE
    return [
        *(row.runtime, row.prompts, row.batch),
        *(_figure(row.texts_per_cpu_second, 1), _figure(row.texts_per_second, 1)),
        *(_figure(row.ratio_to_baseline, 2), _figure(row.min_cosine, 5)),
        f">= {_AIM_RATIO:g}x, cosine >= {_AIM_COSINE}" if aimed else "-",
        _verdict(met),
    ]


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _verdict(met: bool | None) -> str:  # noqa: FBT001 - a verdict has three values
    return "" if met is None else "met" if met else "missed"
