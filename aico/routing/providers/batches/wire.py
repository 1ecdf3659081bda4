"""What every provider's batch API offers: requests built and answers read without any I/O."""

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol, TypeAlias, TypeVar

from pydantic import Field

from aico.core.chat import ChatRequest, Completion
from aico.routing.models import Model
from aico.routing.providers.failures import FailureKind
from aico.routing.providers.wire import HttpRequest, WireError

MEGABYTE = 1_000_000

T = TypeVar("T")
# A conversation with the provider: each request yielded is answered with the body of its response.
Steps: TypeAlias = Generator[HttpRequest, bytes, T]

# Names that a provider gave to things become parts of addresses.
RemoteName = Annotated[str, Field(max_length=256, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$")]
_OWN_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what all three providers take as a line's id


class LaneStatus(StrEnum):
    RUNNING = "running"
    ENDED = "ended"  # each line has an answer or a failure of its own
    FAILED = "failed"  # refused as a whole, without results
    EXPIRED = "expired"  # the lines that were done in time have results
    CANCELLED = "cancelled"  # likewise


@dataclass(frozen=True)
class LaneLine:
    """One request of a batch. Raises ValueError for an id that a provider would refuse."""

    custom_id: str
    request: ChatRequest

    def __post_init__(self) -> None:
        check_name(self.custom_id)


@dataclass(frozen=True)
class LaneCounts:
    total: int
    succeeded: int
    failed: int


@dataclass(frozen=True)
class LaneState:
    """How a batch stands. `sources` are where its results lie, as the provider names them."""

    remote_id: str
    status: LaneStatus
    counts: LaneCounts | None = None  # None where the provider does not say
    message: str | None = None  # why it failed, short and free of secrets
    sources: tuple[str, ...] = ()

    @property
    def final(self) -> bool:
        return self.status is not LaneStatus.RUNNING


@dataclass(frozen=True)
class LineFailure:
    """Why a line has no answer. RETRYABLE: a direct call may succeed. The message is short and free of secrets."""

    kind: FailureKind
    message: str


@dataclass(frozen=True)
class LaneResult:
    """A line's end. `Completion.model` is empty where the provider does not report it; its usage is a batch's."""

    custom_id: str
    outcome: Completion | LineFailure


@dataclass(frozen=True)
class BatchLimits:
    """What one batch may hold, and how large the answers that we read may grow."""

    lines: int
    request_bytes: int  # of all lines together, in the provider's format
    status_bytes: int  # of an answer to anything but a request for results
    results_bytes: int


class BatchWire(Protocol):
    """Bound to one provider's address and key. Everything that reads raises WireError for what is no answer."""

    @property
    def limits(self) -> BatchLimits: ...

    @property
    def finds_by_key(self) -> bool:
        """Whether batches are listed with the key that they were created under."""

    def create(self, key: str, model: Model, lines: Sequence[LaneLine]) -> Steps[str]:
        """A batch of those lines; its remote id. Raises PayloadTooLarge where it would exceed the limits."""

    def find(self, key: str) -> Steps[str | None]:
        """The remote id of the newest batch that was created under that key."""

    def poll(self, remote_id: str) -> Steps[LaneState]: ...

    def cancel(self, remote_id: str) -> Steps[None]: ...

    def results_request(self, source: str) -> HttpRequest:
        """What to fetch for one of a state's `sources`. Raises WireError where the key may not be sent there."""

    def parse_results(self, chunks: Iterable[bytes]) -> Iterator[LaneResult]:
        """The lines' ends, in the provider's order, out of the pieces of one source."""

    def parse_error(self, status: int, body: bytes) -> WireError:
        """The short safe message of an answer whose HTTP status says that it failed."""


def check_name(name: str) -> None:
    if not _OWN_NAME.fullmatch(name):
        raise ValueError(f"{name!r} must be 1 to 64 letters, digits, '_' or '-'")
