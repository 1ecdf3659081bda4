"""The life of a provider's batch, step by step. Each may be taken twice: what it changes is fenced or idempotent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from itertools import islice
from typing import TypeVar
from uuid import UUID

import structlog

from aico.core.errors import PayloadTooLarge
from aico.core.ids import new_id
from aico.routing.models import Model
from aico.routing.providers.batches.lane import BatchLane
from aico.routing.providers.batches.wire import LaneLine, LaneStatus
from aico.routing.providers.failures import FailureKind, ProviderError
from aico.store import lanes
from aico.store.lanes import HeldBatch
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.workers.answers import Answers
from aico.workers.lane_doors import LaneDoors
from aico.workers.lane_results import FAILED, Collector, line_name
from aico.workers.queue import to_lane
from aico.workers.runtime import Runtime, patiently

log = structlog.get_logger()
T = TypeVar("T")

MAX_LINES = 10_000  # of one batch, also where the provider takes more
BYTES_SHARE = 4  # a request may grow so many times when it is written in the provider's format
MAX_LOST = 2  # creations of which nobody knows what became
CHUNK = 200  # lines that are ended in one transaction
HEDGED = "hedged"  # why a job went back, for programs


class LaneSteps:
    """`models` are all that the catalogue knows, by their ids."""

    def __init__(self, runtime: Runtime, doors: LaneDoors, answers: Answers, models: Mapping[str, Model]) -> None:
        self._runtime = runtime
        self._doors = doors
        self._answers = answers
        self._models = models

    def form(self, tenant: UUID) -> None:
        """Make batches of the parked jobs of each model whose oldest has waited long enough for company."""
        for model_id in self._run(tenant, lanes.waiting(tenant)):
            model = self._models.get(model_id)
            lane = None if model is None else self._doors.any_to(model.provider)
            if model is None or lane is None:
                message = f"the batch lane of {model_id} is not open any more"
                self._run(tenant, lanes.give_back_unformed(tenant, model_id, FAILED, message))
            else:
                self._form(tenant, model, lane)

    def _form(self, tenant: UUID, model: Model, lane: BatchLane) -> None:
        message = "no batch was formed in time"
        self._run(tenant, lanes.give_back_unformed(tenant, model.id, HEDGED, message, overdue_only=True))
        limits = lane.limits
        max_lines, max_bytes = min(limits.lines, MAX_LINES), limits.request_bytes // BYTES_SHARE
        while True:
            batch = new_id()
            statement = lanes.form(tenant, batch, model.provider, model.id, max_lines=max_lines, max_bytes=max_bytes)
            formed = self._run(tenant, statement)
            if not formed:
                return
            log.info("lane_batch_formed", batch_id=str(batch), model=model.id, lines=formed[0])
            self._runtime.tell(bells=[to_lane(tenant, batch)])

    def step(self, held: HeldBatch) -> None:
        """Whatever is due: hedging, creation, a look at how it stands, collecting the results."""
        model = self._models.get(held.model)
        try:
            lane = self._doors.to(held)
        except ProviderError as error:
            self._locked_out(held, error)
            return
        if model is None or lane is None:
            self._give_up(held, f"the batch lane of {held.model} is not open any more")
            return
        self._hedge(held)
        if held.unsure and not lane.finds_by_key:
            self._run(held.tenant, lanes.lose(held))
            held = replace(held, unsure=False, lost=held.lost + 1)
        for jobs in self._run(held.tenant, lanes.still_open(held)):  # none: somebody else is at it
            try:
                if held.remote_id is None:
                    self._create(held, model, lane)
                else:
                    self._follow(held, held.remote_id, model, lane, wanted=jobs > 0)
            except PayloadTooLarge as error:
                self._give_up(held, error.detail)
            except ProviderError as error:
                self._failed(held, error)

    def _create(self, held: HeldBatch, model: Model, lane: BatchLane) -> None:
        remote_id = lane.find(held.key) if held.unsure else None
        if remote_id is None:
            lines = self._run(held.tenant, lanes.lines(held))
            if not lines:
                self._end(held, LaneStatus.CANCELLED)
                return
            if held.lost > MAX_LOST:
                self._give_up(held, "the provider does not say whether it takes the batch")
                return
            if not self._run(held.tenant, lanes.begin(held)):
                return
            requests = [LaneLine(line_name(line.id, line.fence), line.request) for line in lines]
            remote_id = lane.create(held.key, model, requests)
        if self._run(held.tenant, lanes.started(held, remote_id)):
            log.info("lane_batch_created", remote=remote_id)
        else:  # somebody else made another one meanwhile
            log.warning("lane_batch_orphaned", remote=remote_id)
            self._ask_to_stop(lane, remote_id)

    def _follow(self, held: HeldBatch, remote_id: str, model: Model, lane: BatchLane, *, wanted: bool) -> None:
        state = lane.poll(remote_id)
        if not state.final:
            if not wanted and not held.cancelled and self._ask_to_stop(lane, remote_id):
                self._run(held.tenant, lanes.cancelled(held))
            self._run(held.tenant, lanes.postpone(held))
            return
        collector = Collector(self._runtime, self._answers, held, model)
        for chunk in _chunks(lane.results(state)):
            collector.store(chunk)
        self._give_back(held, FAILED, state.message or f"the provider's batch is {state.status.value} without it")
        self._end(held, state.status, state.message)

    def _ask_to_stop(self, lane: BatchLane, remote_id: str) -> bool:
        """False: it may be asked again. A batch that has ended already cannot be cancelled, and need not be."""
        try:
            lane.cancel(remote_id)
        except ProviderError as error:
            log.warning("lane_batch_not_cancelled", remote=remote_id, error=error.message)
            return error.kind is FailureKind.FATAL
        return True

    def _failed(self, held: HeldBatch, error: ProviderError) -> None:
        if error.kind is FailureKind.FATAL:
            self._give_up(held, error.message)
            return
        unsure = held.remote_id is None and (held.unsure or _may_have_worked(error))
        log.warning("lane_step_postponed", error=error.message)
        statement = lanes.postpone(held, error=error.message, pause=error.retry_after or 0.0, unsure=unsure)
        self._run(held.tenant, statement)

    def _locked_out(self, held: HeldBatch, error: ProviderError) -> None:
        """The key cannot be read: nothing was asked of the provider."""
        if error.kind is FailureKind.FATAL:
            self._give_up(held, error.message)
            return
        self._hedge(held)
        self._run(held.tenant, lanes.postpone(held, error=error.message, unsure=held.unsure))

    def _hedge(self, held: HeldBatch) -> None:
        self._give_back(held, HEDGED, "the provider's batch is not back yet", overdue_only=True)

    def _give_up(self, held: HeldBatch, message: str) -> None:
        self._give_back(held, FAILED, message)
        self._end(held, LaneStatus.FAILED, message)

    def _give_back(self, held: HeldBatch, reason: str, message: str, *, overdue_only: bool = False) -> None:
        given = self._run(held.tenant, lanes.give_back(held, reason, message, overdue_only=overdue_only))
        if given:
            log.info("lane_jobs_given_back", reason=reason, jobs=len(given))

    def _end(self, held: HeldBatch, status: LaneStatus, error: str | None = None) -> None:
        self._run(held.tenant, lanes.end(held, status.value, error))
        log.info("lane_batch_ended", status=status.value, error=error)

    def _run(self, tenant: UUID, statement: Statement[T]) -> Sequence[T]:
        return patiently(lambda: self._runtime.database.run(Scope.tenant(tenant), statement))


def _may_have_worked(error: ProviderError) -> bool:
    """Whether a creation may have been carried out although it was not confirmed."""
    return error.http_status is None or error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _chunks(items: Iterator[T]) -> Iterator[list[T]]:
    return iter(lambda: list(islice(items, CHUNK)), [])
