"""A place in a trace, as W3C's `traceparent` says it, and the one that every job has of its own."""

import re
from dataclasses import dataclass
from hashlib import blake2b
from secrets import randbits
from typing import Self
from uuid import UUID

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 0x01
_NO_VERSION = "ff"
_FIRST_VERSION = "00"
TRACE_BYTES, SPAN_BYTES = 16, 8


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span: `trace` has 128 bits, `span` has 64, neither is 0. `sampled`: what belongs to the trace is kept."""

    trace: int
    span: int
    sampled: bool

    @classmethod
    def parse(cls, header: str) -> Self | None:
        """None for what is none. A version that is not known yet is read as far as the first one goes."""
        found = _FORM.fullmatch(header)
        if found is None:
            return None
        version, trace, span, flags, more = found.groups()
        if version == _NO_VERSION or (version == _FIRST_VERSION and more):
            return None
        context = cls(int(trace, 16), int(span, 16), bool(int(flags, 16) & _SAMPLED))
        return context if context.trace and context.span else None

    @property
    def trace_id(self) -> str:
        return f"{self.trace:032x}"

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span:016x}-{_SAMPLED * self.sampled:02x}"


def new_trace() -> int:
    return randbits(TRACE_BYTES * 8) or 1


def new_span() -> int:
    return randbits(SPAN_BYTES * 8) or 1


def ids_of(job: UUID) -> tuple[int, int]:
    """A trace and a span that follow from the job's id: whoever works on it can name them, and nothing is stored.

    They are a hash of it: samplers take a share of traces by the last bits, which in the id are not evenly spread.
    """
    digest = blake2b(job.bytes, digest_size=TRACE_BYTES + SPAN_BYTES, person=b"aico job").digest()
    return int.from_bytes(digest[:TRACE_BYTES]) or 1, int.from_bytes(digest[TRACE_BYTES:]) or 1
