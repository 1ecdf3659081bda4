"""What the cache keeps: shown, with how it was used; and taken away by id, tag, namespace, model, or altogether."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.exceptions import RequestValidationError

from aico.api.auth import Principal
from aico.api.cache_entry_schemas import (
    NAMESPACE_PATTERN,
    CacheEntryDetail,
    CacheEntryPage,
    CacheEntryView,
    CacheHits,
    CacheStats,
    Forgotten,
    NamespaceChange,
    NamespaceName,
    NamespacePage,
    NamespaceView,
    Selection,
)
from aico.api.problems import documented
from aico.api.routers.jobs import After, Limit
from aico.api.services import Held, Reader, Services, SettingsWriter, UsageReader
from aico.core.access import Permission
from aico.core.attempts import OF_ROUTING, AttemptKind
from aico.core.errors import NotFound
from aico.core.inputs import ModelName, Tag, Text
from aico.store import cache_entries, cache_namespaces, savings
from aico.store.cache_entries import Which
from aico.store.scope import Scope
from aico.store.statement import Statement

BATCH = 5000  # rows that one transaction deletes or changes
SHOWN_NAMESPACES = 20

router = APIRouter(prefix="/v1/cache", tags=["cache"])

NamespaceInPath = Annotated[
    str, Path(pattern=NAMESPACE_PATTERN, description="64 hexadecimal digits, as entries name it.")
]
Words = Annotated[Text | None, Query(min_length=1, max_length=200, description="In the question, in either case.")]


@router.get("/stats", responses=documented(401, 403, 422, 503))
async def cache_stats(
    held: Held,
    principal: UsageReader,
    days: Annotated[int, Query(ge=1, le=366, description="Whole days back from now, UTC, for hits.")] = 30,
) -> CacheStats:
    """What is kept and what was served of it. O(days x models + namespaces), whatever the number of answers."""
    until = datetime.now(UTC)
    since = (until - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    tenant, scope = principal.tenant, Scope.tenant(principal.tenant)
    found = await held.database.run(scope, cache_entries.size(tenant))
    if not found:  # it was erased since the credential was looked at
        raise NotFound("there is no such tenant")
    (size,) = found
    kinds = await held.database.run(scope, savings.spending(tenant, since, until))
    answers = {one.kind: one.answers for one in kinds if one.kind not in OF_ROUTING}
    hits = CacheHits(
        exact=answers.get(AttemptKind.EXACT_HIT, 0),
        semantic=answers.get(AttemptKind.SEMANTIC_HIT, 0),
        shared=answers.get(AttemptKind.SHARED, 0),
    )
    total = sum(answers.values())
    largest = await held.database.run(scope, cache_namespaces.largest(tenant, limit=SHOWN_NAMESPACES))
    words = Permission.PROMPTS_READ in principal.permissions
    return CacheStats(
        entries=size.entries,
        bytes=size.bytes,
        max_entries=CacheStats.least(size, held.settings.cache_max_entries),
        max_bytes=held.settings.cache_max_bytes,
        since=since,
        until=until,
        answers=total,
        hits=hits,
        hit_rate=(hits.exact + hits.semantic) / total if total else None,
        target=held.settings.cache_max_error_rate if size.target is None else size.target,
        states=dict(await held.database.run(scope, cache_namespaces.states(tenant))),
        namespaces=[NamespaceView.of(one, words=words) for one in largest],
    )


@router.get("/entries", responses=documented(401, 403, 404, 422, 503))
async def list_entries(
    held: Held,
    principal: Reader,
    limit: Limit = 20,
    after: After = None,
    namespace: Annotated[NamespaceName | None, Query()] = None,
    tag: Annotated[Tag | None, Query(description="Of the jobs that paid for them.")] = None,
    model: Annotated[ModelName | None, Query(description="That answered.")] = None,
    q: Words = None,
) -> CacheEntryPage:
    """List kept answers without their words, newest first. 404: that of `after` has gone since; begin anew."""
    tenant, scope = principal.tenant, Scope.tenant(principal.tenant)
    statement = cache_entries.page(
        tenant, after=after, namespace=namespace, tag=tag, model=model, words=q, limit=limit + 1
    )
    found = await held.database.run(scope, statement)
    if not found and after is not None and not await held.database.run(scope, cache_entries.there(tenant, after)):
        raise _no_entry(after, "after")  # nobody is to take that for the end
    return CacheEntryPage.of([CacheEntryView.of(one) for one in found], limit, lambda view: view.id)


@router.get("/entries/{entry_id}", responses=documented(401, 403, 404, 422, 503))
async def get_entry(entry_id: UUID, held: Held, principal: Reader) -> CacheEntryDetail:
    """Read a kept answer."""
    found = await held.database.run(Scope.tenant(principal.tenant), cache_entries.get(principal.tenant, entry_id))
    if not found:
        raise _no_entry(entry_id)
    return CacheEntryDetail.of(found[0])


@router.delete("/entries/{entry_id}", status_code=204, responses=documented(401, 403, 404, 422, 503))
async def forget_entry(entry_id: UUID, held: Held, principal: SettingsWriter) -> None:
    """Delete a kept answer, with its other entries: it is not served again. Jobs that it was served to keep theirs."""
    if not await _forget(held, principal, Which("id", str(entry_id))):
        raise _no_entry(entry_id)


@router.delete("/entries", responses=documented(401, 403, 422, 503))
async def forget_entries(
    selection: Annotated[Selection, Query()], http: Request, held: Held, principal: SettingsWriter
) -> Forgotten:
    """Delete all answers that one of the parameters chooses. When this answers, none of them is served any more."""
    if len(http.query_params.multi_items()) > 1:  # the framework would take the last of them
        fault = {"type": "repeated", "loc": ("query",), "msg": "name what is to go once"}
        raise RequestValidationError([fault])
    return Forgotten(entries=await _forget(held, principal, selection.which))


@router.get("/namespaces", responses=documented(401, 403, 422, 503))
async def list_namespaces(
    held: Held, principal: Reader, limit: Limit = 20, after: Annotated[NamespaceName | None, Query()] = None
) -> NamespacePage:
    """List namespaces by name, with what is kept in them and what is known of their error."""
    statement = cache_namespaces.page(principal.tenant, after=after, limit=limit + 1)
    return NamespacePage.of(await held.database.run(Scope.tenant(principal.tenant), statement), limit)


@router.patch("/namespaces/{namespace}", responses=documented(400, 401, 403, 404, 413, 422, 503))
async def change_namespace(
    namespace: NamespaceInPath, request: NamespaceChange, held: Held, principal: SettingsWriter
) -> NamespaceView:
    """Set how long a namespace's answers are kept. Those that are older already are not served from then on."""
    tenant, scope = principal.tenant, Scope.tenant(principal.tenant)
    change = cache_namespaces.set_ttl(tenant, namespace, request.ttl_seconds, principal.actor)
    if not await held.database.run(scope, change):
        raise _no_namespace(namespace)
    await _in_batches(held, principal, lambda: cache_namespaces.drop_stale(tenant, namespace, limit=BATCH))
    found = await held.database.run(scope, cache_namespaces.get(tenant, namespace))
    if not found:  # its last answer has gone since
        raise _no_namespace(namespace)
    return NamespaceView.of(found[0], words=Permission.PROMPTS_READ in principal.permissions)


async def _forget(held: Services, principal: Principal, which: Which) -> int:
    return await _in_batches(
        held, principal, lambda: cache_entries.forget(principal.tenant, which, principal.actor, limit=BATCH)
    )


async def _in_batches(held: Services, principal: Principal, statement: Callable[[], Statement[int]]) -> int:
    """Until there is nothing left to do: a transaction each, so that nobody waits long for a row. How many rows."""
    total = 0
    while True:
        (count,) = await held.database.run(Scope.tenant(principal.tenant), statement())
        total += count
        if count < BATCH:
            return total


def _no_entry(entry_id: UUID, param: str = "entry_id") -> NotFound:
    return NotFound(f"the cache keeps no answer {entry_id}", param=param)


def _no_namespace(namespace: str) -> NotFound:
    return NotFound(f"the cache has no namespace {namespace}", param="namespace")
