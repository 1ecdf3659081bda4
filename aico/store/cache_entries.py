"""Statements about kept answers as their tenant sees them: shown, and taken away."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal
from uuid import UUID

from aico.core.jobs import Answer, RoutingReport
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("cache_entries")

Field = Literal["id", "tag", "namespace", "model", "all"]

_CONDITIONS: Mapping[Field, str] = MappingProxyType(
    {
        # With its copies under questions that it was found to serve, and what it is a copy of: the answer is what goes.
        "id": "o.job_id = (select x.job_id from public.cache_entries x"
        " where x.tenant_id = %(tenant)s and x.id = %(value)s::uuid)",
        "tag": "o.tags @> array[%(value)s::text]",
        "namespace": "o.namespace = decode(%(value)s::text, 'hex')",
        "model": "o.model = %(value)s::text",
        "all": "%(value)s::text is null",
    }
)


@dataclass(frozen=True, slots=True)
class Which:
    """Answers by what they have in common."""

    field: Field
    value: str | None = None  # None: of `all`


@dataclass(frozen=True, slots=True)
class Entry:
    id: UUID
    namespace: str  # 64 hexadecimal digits
    question: str | None  # None: it is served to the same request alone
    model: str
    tags: list[str]
    created_at: datetime
    expires_at: datetime
    hits: int
    hit_at: datetime | None
    good: int  # judgements of it as an answer to other questions
    bad: int
    bytes: int
    job: UUID  # that paid for it
    routing: RoutingReport  # how it came about
    answer: Answer | None = None  # only where one entry is asked for


def page(
    tenant: UUID,
    *,
    after: UUID | None = None,
    namespace: str | None = None,
    tag: str | None = None,
    model: str | None = None,
    words: str | None = None,
    limit: int,
) -> Statement[Entry]:
    """Those that may still be served, newest first. O(limit) along an index, and the rows that a filter skips.

    None are if `after` is not there any more.
    """
    params = {
        "tenant": tenant,
        "after": after,
        "namespace": namespace and bytes.fromhex(namespace),
        "tag": tag,
        "model": model,
        "words": words,
        "limit": limit,
    }
    return Statement(_SQL["page"], params, _entry)


def there(tenant: UUID, entry: UUID) -> Statement[UUID]:
    """No row: it has gone, as it may have since a page ended with it."""
    return Statement(_SQL["there"], {"tenant": tenant, "id": entry}, lambda row: row["id"])


def get(tenant: UUID, entry: UUID) -> Statement[Entry]:
    return Statement(_SQL["get"], {"tenant": tenant, "id": entry}, _entry)


def _entry(row: Row) -> Entry:
    read = {"job": row.pop("job_id"), "routing": RoutingReport.model_validate(row["routing"])}
    if "answer" in row:
        read["answer"] = Answer.model_validate(row["answer"])
    return Entry(**{**row, **read})


def forget(tenant: UUID, which: Which, by: str, *, limit: int) -> Statement[int]:
    """Delete up to `limit` of them, with their vectors; returns how many there were. `limit`: there may be more."""
    params = {
        "tenant": tenant,
        "value": which.value,
        "shown": which.value,
        "field": which.field,
        "by": by,
        "limit": limit,
    }
    return Statement(_SQL["forget"].format(condition=_CONDITIONS[which.field]), params, lambda row: row["entries"])


@dataclass(frozen=True, slots=True)
class Size:
    entries: int
    bytes: int
    most: int | None  # entries; None: the service's limit
    target: float | None  # the error per hit that the tenant allows; None: the service's


def size(tenant: UUID) -> Statement[Size]:
    """What the tenant keeps, as far as it has been added up."""
    return Statement(
        _SQL["size"],
        {"tenant": tenant},
        lambda row: Size(row["entries"] or 0, row["bytes"] or 0, row["most"], row["target"]),
    )
