"""Wraps the data keys of all tenants' secrets anew, page by page. Cut off, it goes on where it was."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from aico.core.envelope import KeyEncryption, Sealed, UnreadableSecret, current_id, rewrap
from aico.store import provider_keys
from aico.store.blocking import Database
from aico.store.provider_keys import StaleKey, TenantKey
from aico.store.scope import Scope

PAGE = 100


@dataclass(frozen=True, slots=True)
class Unreadable:
    key: TenantKey
    why: str


@dataclass(frozen=True, slots=True)
class Page:
    """What became of a page of keys. Those in neither were replaced or deleted meanwhile."""

    seen: int
    rewrapped: int
    unreadable: tuple[Unreadable, ...]


def count(database: Database, keys: KeyEncryption) -> int:
    """How many are not wrapped by the current key-encryption key."""
    return database.run(Scope.system(), provider_keys.count_stale(current_id(keys)))[0]


def rewrap_all(database: Database, keys: KeyEncryption, actor: str, page: int = PAGE) -> Iterator[Page]:
    """One transaction a page. What cannot be read stays as it is, and is reported. Raises Unavailable."""
    current, after = current_id(keys), None
    while stale := database.run(Scope.system(), provider_keys.stale(current, after=after, limit=page)):
        yield _rewrap(database, keys, actor, stale)
        after = stale[-1].id


def _rewrap(database: Database, keys: KeyEncryption, actor: str, stale: list[StaleKey]) -> Page:
    scope = Scope.each(key.tenant for key in stale)
    changes: list[tuple[TenantKey, Sealed]] = []
    unreadable: list[Unreadable] = []
    for key in database.run(scope, provider_keys.sealed(stale)):
        try:
            changes.append((key, rewrap(keys, key.sealed)))
        except UnreadableSecret as error:
            unreadable.append(Unreadable(key, str(error)))
    done: list[UUID] = database.run(scope, provider_keys.rewrap(changes, actor)) if changes else []
    return Page(len(stale), len(done), tuple(unreadable))
