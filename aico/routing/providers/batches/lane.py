"""A provider's batch lane: many requests at once, at a discount, answered within a day."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from types import MappingProxyType

import httpx2
from pydantic import SecretStr

from aico.core.settings import Settings
from aico.routing.models import Model
from aico.routing.providers.batches.anthropic_batches import AnthropicBatches
from aico.routing.providers.batches.exchange import Exchange
from aico.routing.providers.batches.gemini_batches import GeminiBatches
from aico.routing.providers.batches.openai_batches import OpenAIBatches
from aico.routing.providers.batches.wire import (
    BatchLimits,
    BatchWire,
    LaneLine,
    LaneResult,
    LaneState,
    LineFailure,
    Steps,
    T,
)
from aico.routing.providers.profiles import PROFILES, Profile, WireName
from aico.routing.providers.wire import HttpRequest, WireError

_WIRES: Mapping[WireName, Callable[[Profile, SecretStr | None], BatchWire]] = MappingProxyType(
    {
        "openai_chat": OpenAIBatches,
        "anthropic_messages": AnthropicBatches,
        "gemini_generate": GeminiBatches,
    }
)
_CALL_SECONDS = 30.0  # for an exchange that carries no lines
_TRANSFER_SECONDS = 600.0  # for one that does: hundreds of megabytes, either way
_MAX_CONNECTIONS = 8


class BatchLane:
    """Thread-safe. Every method raises ProviderError where the provider fails; its kind says whether to try again."""

    def __init__(
        self,
        profile: Profile,
        api_key: SecretStr | None,
        *,
        call_seconds: float = _CALL_SECONDS,
        transfer_seconds: float = _TRANSFER_SECONDS,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.profile = profile
        self._call_seconds = call_seconds
        self._transfer_seconds = transfer_seconds
        self._wire = _WIRES[profile.wire](profile, api_key)
        self._exchange = Exchange(
            profile.name, api_key, self._wire.parse_error, max_connections=_MAX_CONNECTIONS, transport=transport
        )

    def close(self) -> None:
        self._exchange.close()

    def with_key(self, api_key: SecretStr) -> "BatchLane":
        """The same lane, over the same connections, into another account. Only the first of them is to be closed."""
        other = copy(self)
        other._wire = _WIRES[self.profile.wire](self.profile, api_key)  # noqa: SLF001 - of the same class
        other._exchange = self._exchange.with_key(api_key)  # noqa: SLF001 - likewise
        return other

    @property
    def limits(self) -> BatchLimits:
        return self._wire.limits

    @property
    def finds_by_key(self) -> bool:
        """Whether `find` can find anything. Where it cannot, a `create` that broke off may have left an orphan."""
        return self._wire.finds_by_key

    def create(self, key: str, model: Model, lines: Sequence[LaneLine]) -> str:
        """Start a batch and return its remote id.

        `key` is our own name of it, 1 to 64 letters, digits, '_' or '-'. A retryable failure may hide a batch that
        was made: ask `find` before trying again. Raises PayloadTooLarge beyond the limits and ValueError for no
        lines or an id given twice.
        """
        return self._converse(self._wire.create(key, model, lines), self._transfer_seconds)

    def find(self, key: str) -> str | None:
        """The remote id of the batch created under `key`; None where there is none among the newest."""
        return self._converse(self._wire.find(key), self._call_seconds)

    def poll(self, remote_id: str) -> LaneState:
        state = self._converse(self._wire.poll(remote_id), self._call_seconds)
        return replace(state, message=self._exchange.redacted(state.message)) if state.message else state

    def cancel(self, remote_id: str) -> None:
        """Ask the provider to stop. What it has answered by then is billed, and is among the results."""
        self._converse(self._wire.cancel(remote_id), self._call_seconds)

    def results(self, state: LaneState) -> Iterator[LaneResult]:
        """The end of each line, in no particular order, read as it comes.

        Lines that a provider leaves out are missing here too. Where the transfer breaks off, ProviderError follows
        the results that had come.
        """
        for source in state.sources:
            request = self._results_request(source)
            with self._exchange.opened(
                request, seconds=self._transfer_seconds, max_bytes=self.limits.results_bytes
            ) as chunks:
                for result in self._wire.parse_results(chunks):
                    yield self._redacted(result)

    def _converse(self, steps: Steps[T], seconds: float) -> T:
        try:
            request = next(steps)
            while True:
                body = self._exchange.fetch(request, seconds=seconds, max_bytes=self.limits.status_bytes)
                request = steps.send(body)
        except StopIteration as end:
            outcome: T = end.value
            return outcome
        except WireError as error:
            raise self._exchange.failure(error) from error

    def _results_request(self, source: str) -> HttpRequest:
        try:
            return self._wire.results_request(source)
        except WireError as error:
            raise self._exchange.failure(error) from error

    def _redacted(self, result: LaneResult) -> LaneResult:
        if not isinstance(result.outcome, LineFailure):
            return result
        return replace(result, outcome=replace(result.outcome, message=self._exchange.redacted(result.outcome.message)))


def lane_profiles(settings: Settings) -> list[Profile]:
    """The providers that the settings configure and that have a lane."""
    return [profile for profile in PROFILES if profile.configured(settings) and profile.has_batches(settings)]


def tenant_lane_profiles(settings: Settings) -> list[Profile]:
    """The providers that have a lane and take keys of tenants, whether the settings configure them or not."""
    return [profile for profile in PROFILES if profile.takes_keys(settings) and profile.has_batches(settings)]


def open_lanes(settings: Settings, *, for_tenants: bool = False) -> dict[str, BatchLane]:
    """The lane of each of the first, by the provider's name; `for_tenants`, of the second, and without a key."""
    if for_tenants:
        return {one.name: BatchLane(one.located(settings), None) for one in tenant_lane_profiles(settings)}
    return {one.name: BatchLane(one.located(settings), one.api_key(settings)) for one in lane_profiles(settings)}
