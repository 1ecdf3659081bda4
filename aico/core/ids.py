import os
import time
from uuid import UUID

_NANOS_PER_MILLI = 1_000_000
_VERSION_7 = 0x7 << 76
_VARIANT_RFC = 0b10 << 62


def new_id() -> UUID:
    """A UUID version 7 (RFC 9562), so that new rows are neighbours and sort by age.

    48 bits of Unix milliseconds, then 12 bits of the millisecond's fraction (the RFC's method 3: a quarter of a
    microsecond), then 62 random bits.
    """
    now = time.time_ns()
    millis, nanos = divmod(now, _NANOS_PER_MILLI)
    fraction = nanos * 4096 // _NANOS_PER_MILLI
    noise = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return UUID(int=(millis & ((1 << 48) - 1)) << 80 | _VERSION_7 | fraction << 64 | _VARIANT_RFC | noise)
