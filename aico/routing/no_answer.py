"""Why a request comes back without an answer; each with the attempts that were made until then."""

import math
from http import HTTPStatus

from aico.core.attempts import Attempt, AttemptOutcome
from aico.core.errors import AicoError

_REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}


class AllCandidatesFailed(AicoError):
    """Nobody answered, or a stream broke off. `retry_after`: the longest wait that a provider asked for, in seconds."""

    status = HTTPStatus.BAD_GATEWAY
    code = "all_candidates_failed"
    title = "No model answered"

    def __init__(
        self,
        detail: str,
        attempts: tuple[Attempt, ...],
        *,
        retry_after: float | None = None,
        comes_back: bool = False,
    ) -> None:
        """`comes_back`: a candidate that was not asked may be well again then."""
        super().__init__(detail, retry_after=None if retry_after is None else math.ceil(retry_after))
        self.attempts = attempts
        self._comes_back = comes_back

    @property
    def retryable(self) -> bool:
        """Whether the same candidates may answer later: the last one to be asked may, or one that was not asked."""
        return self._comes_back or (bool(self.attempts) and self.attempts[-1].outcome is AttemptOutcome.RETRYABLE)

    @property
    def refused(self) -> bool:
        """Whether the request itself was what the last to be asked did not accept."""
        return bool(self.attempts) and self.attempts[-1].http_status in _REFUSALS


class Cancelled(Exception):
    """The job was cancelled while it was being answered."""

    def __init__(self, attempts: tuple[Attempt, ...]) -> None:
        super().__init__("cancelled")
        self.attempts = attempts


class Held(Exception):
    """Rate limits leave no place for a call now. One is reserved: `seconds` from now, dispatch again with its place."""

    def __init__(self, model_id: str, seconds: float, attempts: tuple[Attempt, ...], place: str) -> None:
        super().__init__(f"a call of {model_id} has its place in {seconds:.1f} s")
        self.model_id = model_id
        self.seconds = seconds
        self.attempts = attempts
        self.place = place  # its model, and its key where there are several


class Unwell(Exception):
    """Nobody was asked: all candidates are known to fail now. The first may be asked again in `seconds`."""

    def __init__(self, detail: str, seconds: float) -> None:
        super().__init__(detail)
        self.detail = detail
        self.seconds = seconds
