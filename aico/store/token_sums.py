"""Statements about what was learned of providers' ways to count tokens: of no tenant, and of few models."""

from collections.abc import Mapping
from dataclasses import asdict, fields

from psycopg.types.json import Jsonb

from aico.core.tokens import Sums
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("token_sums")


def learn(learned: Mapping[tuple[str, str], Sums], *, half_life: float) -> Statement[None]:
    """Add sums by provider and model; what was there loses half of its weight with each `half_life` calls."""
    rows = [{"provider": provider, "model": model, **asdict(sums)} for (provider, model), sums in learned.items()]
    return Statement(_SQL["learn"], {"sums": Jsonb(rows), "half_life": float(half_life)}, no_row)


def everything() -> Statement[tuple[tuple[str, str], Sums]]:
    """Provider and model, with their sums."""
    return Statement(_SQL["everything"], {}, _learned)


def _learned(row: Row) -> tuple[tuple[str, str], Sums]:
    return (row["provider"], row["model"]), Sums(**{field.name: row[field.name] for field in fields(Sums)})
