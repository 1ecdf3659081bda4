"""The generic cell rate algorithm of aico.routing.pacing on Redis, for providers' limits and for tenants' alike.

One call of the script takes from several budgets, or from none, on the server's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

_FOR_EVER = 1e9  # seconds; stands in for infinity, which not every Lua reads

# `admit` of aico.routing.pacing. A key that is not there was flushed or has long run out: what the caller last knew
# takes its place. Keys outlive their time, so that this knowledge is older than any that ran out.
SCRIPT = """
local patience, clock = tonumber(ARGV[1]), redis.call('TIME')
local now, wait, before, after = clock[1] + clock[2] / 1e6, 0, {}, {}
for i, key in ipairs(KEYS) do
  local cost, burst, horizon, known = unpack(ARGV, 4 * i - 2, 4 * i + 1)
  before[i] = math.max(tonumber(redis.call('GET', key) or known), now)
  wait = math.max(wait, before[i] + math.min(cost, burst) - burst - now)
  after[i] = math.max(before[i] + cost, now + horizon)
end
local taken = wait <= patience
local answer = {taken and 1 or 0, string.format('%.6f', wait), string.format('%.6f', now)}
for i, key in ipairs(KEYS) do
  answer[i + 3] = string.format('%.6f', taken and after[i] or before[i])
  if taken then
    redis.call('SET', key, answer[i + 3], 'PX', math.ceil((after[i] - now + 60) * 1000))
  end
end
return answer
"""


@dataclass(frozen=True, slots=True)
class Taking:
    """What is taken from one budget, in seconds of its grant."""

    key: str
    cost: float
    burst: float  # what a full budget holds
    horizon: float = 0.0  # how far ahead of now its arrival time lies at least
    known: float = 0.0  # the arrival time to go by where Redis has none


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wait`: seconds until all budgets have room. `arrivals`: their times after it, on the clock of `now`."""

    taken: bool
    wait: float
    now: float
    arrivals: tuple[float, ...]

    @classmethod
    def read(cls, answer: Sequence[str | int]) -> Self:
        taken, wait, now, *arrivals = map(float, answer)
        return cls(bool(taken), wait, now, tuple(arrivals))


def keys_and_arguments(takings: Sequence[Taking], patience: float) -> tuple[list[str], list[str]]:
    """Of the script; `patience` in seconds. Nothing is taken where the wait exceeds it."""
    numbers = [number for one in takings for number in (one.cost, one.burst, one.horizon, one.known)]
    return [one.key for one in takings], [repr(min(patience, _FOR_EVER)), *map(repr, numbers)]
