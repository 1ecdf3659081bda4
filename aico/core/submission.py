"""What a caller wants done, through whichever door it came: the question, and all that was said about it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aico.core.chat import ChatRequest
from aico.core.jobs import NO_CONTROLS, CacheMode, Controls, JobClass, Surface

WINDOW_PATTERN = r"^[1-9][0-9]{0,5}[smhd]$"  # a time from now: `90s`, `30m`, `24h`, `7d`
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    chat: ChatRequest
    job_class: JobClass = JobClass.INTERACTIVE
    cache: CacheMode | None = None  # None: as the tenant's policy says
    controls: Controls = NO_CONTROLS
    metadata: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    deadline: datetime | None = None
    completion_window: str | None = None  # the deadline as a time from now; excludes the other
    priority: int = 0  # head start in seconds over the tenant's other waiting jobs
    max_retries: int | None = None
    surface: Surface = Surface.JOB
    echo: dict[str, Any] = field(default_factory=dict)
    streams: bool = False
    user: str | None = None  # the caller's, by whom experiments may draw; never stored as it is
    redact: bool = False  # personal data, whatever the tenant's policy says

    def due(self, now: datetime) -> datetime | None:
        """The deadline that the caller asks for, if any."""
        return self.deadline if self.completion_window is None else now + window(self.completion_window)

    def cache_mode(self, policy: CacheMode | None) -> CacheMode:
        """What the caller says, else what asks for variety implies, else the tenant's policy."""
        if self.chat.n > 1:
            return CacheMode.OFF  # one answer is kept, and several were asked for
        if self.cache is not None:
            return self.cache
        return CacheMode.OFF if self.chat.temperature else policy or CacheMode.SEMANTIC


def caller_user(hints: Mapping[str, Any], metadata: Mapping[str, str]) -> str | None:
    """Whom a caller asks for: OpenAI's `safety_identifier`, the older `user`, or `user` in the metadata."""
    return hints.get("safety_identifier") or hints.get("user") or metadata.get("user") or None


def window(text: str) -> timedelta:
    """Raises ValueError for what does not match WINDOW_PATTERN."""
    if not re.match(WINDOW_PATTERN, text):
        raise ValueError("a time from now is a number and one of s, m, h and d, such as 90s, 30m, 24h or 7d")
    return timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])
