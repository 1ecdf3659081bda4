"""What was learned for tenants, as a process remembers it."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

import structlog

from aico.core.errors import Unavailable
from aico.routing.learner.design import DESIGN
from aico.routing.learner.learned import Learned, UnreadableLearning
from aico.routing.verifier.answer_design import ANSWER_DESIGN
from aico.store import learner
from aico.store.blocking import Database
from aico.store.scope import Scope

log = structlog.get_logger()

REMEMBERED = 256


def readable(found: list[bytes]) -> Learned | None:
    """Of a solution as it is stored; None where there is none, or none that this program can read."""
    return _decoded(found[0] if found else None, DESIGN)


def _decoded(data: bytes | None, design: str) -> Learned | None:
    try:
        learned = None if data is None else Learned.decoded(data)
    except UnreadableLearning as error:
        log.warning("solution_unreadable", error=error.detail)
        return None
    return learned if learned is not None and learned.design == design else None


@dataclass(frozen=True, slots=True)
class Solved:
    """One version."""

    models: Learned | None = None
    drafts: Learned | None = None


class LearnedSolutions:
    """Each version is read once, as it never changes. For many threads."""

    def __init__(self, database: Database, size: int = REMEMBERED) -> None:
        self._database = database
        self._size = size
        self._held: OrderedDict[tuple[UUID, int], Solved] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, tenant: UUID, version: int) -> Learned | None:
        """Of models. One statement where the version is not remembered. While Postgres is away nothing is known."""
        return self._solved(tenant, version).models

    def verifier(self, tenant: UUID, version: int) -> Learned | None:
        """Of drafts, likewise."""
        return self._solved(tenant, version).drafts

    def _solved(self, tenant: UUID, version: int) -> Solved:
        key = tenant, version
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        try:
            found = self._database.run(Scope.tenant(tenant), learner.solution(tenant, version))
        except Unavailable:
            log.warning("solution_not_read", version=version)
            return Solved()
        models, drafts = found[0] if found else (None, None)
        solved = Solved(_decoded(models, DESIGN), _decoded(drafts, ANSWER_DESIGN))
        with self._lock:
            self._held[key] = solved
            while len(self._held) > self._size:
                self._held.popitem(last=False)
        return solved
