"""The arithmetic of aico.routing.breaker on Redis, on the server's clock: a hash for each scope."""

from collections.abc import Sequence

from aico.routing.breaker import HALF_LIFE_SECONDS, LOOK_AGAIN_SECONDS, RULES, Entry, Marks, Scope

_KEY_PREFIX = "aico:health"
KEPT_SECONDS = 86_400  # what is known of a scope that is not called

# `admit`. The answer: the wait, the number of the scope that asks for it, what was last wrong there, and the numbers of
# the scopes for which the call finds out.
ENTER = f"""
local clock = redis.call('TIME')
local now, lease, wait, which, half = clock[1] + clock[2] / 1e6, tonumber(ARGV[1]), 0, 0, {{}}
for i, key in ipairs(KEYS) do
  local found = redis.call('HMGET', key, 'until', 'probe')
  local ends, probe, one = tonumber(found[1] or 0), tonumber(found[2] or 0), 0
  if ends > now then
    one = ends - now
  elseif ends > 0 and probe > now then
    one = math.min(probe - now, {LOOK_AGAIN_SECONDS})
  elseif ends > 0 then
    half[#half + 1] = i
  end
  if one > wait then
    wait, which = one, i
  end
end
if wait > 0 then
  return {{string.format('%.6f', wait), which, redis.call('HGET', KEYS[which], 'said') or ''}}
end
for _, i in ipairs(half) do
  redis.call('HSET', KEYS[i], 'probe', string.format('%.17g', now + lease))
end
return {{'0', 0, '', unpack(half)}}
"""

# `settle` for each scope, and for people when it was last good and what was last bad. The answer: number and seconds of
# those that opened.
LEAVE = f"""
local clock, opened = redis.call('TIME'), {{}}
local now = clock[1] + clock[2] / 1e6
local function exact(number)
  return string.format('%.17g', number)
end
for i, key in ipairs(KEYS) do
  local mark, probing, most, base, cap, calls, share = unpack(ARGV, 7 * i - 4, 7 * i + 2)
  local found = redis.call('HMGET', key, 'run', 'good', 'bad', 'at', 'trips', 'until')
  for j = 1, 6 do
    found[j] = tonumber(found[j] or 0)
  end
  local run, good, bad, at, trips, ends = unpack(found)
  local is_bad, opens = mark == 'bad', false
  if ends > 0 then
    if probing == '1' and mark == 'good' then
      redis.call('HDEL', key, 'run', 'good', 'bad', 'at', 'trips', 'until', 'probe')
    elseif probing == '1' and mark == 'nothing' then
      redis.call('HSET', key, 'probe', '0')
    end
    opens = probing == '1' and is_bad
  elseif mark ~= 'nothing' then
    local fade = 0.5 ^ (math.max(0, now - at) / {HALF_LIFE_SECONDS})
    good, bad = good * fade + (is_bad and 0 or 1), bad * fade + (is_bad and 1 or 0)
    run = is_bad and run + 1 or 0
    local often = good + bad >= tonumber(calls) and bad >= share * (good + bad)
    opens = is_bad and (run >= tonumber(most) or often)
    if not opens then
      redis.call('HSET', key, 'run', run, 'good', exact(good), 'bad', exact(bad), 'at', exact(now), 'trips', 0)
    end
  end
  if opens then
    trips = trips + 1
    local pause = math.min(cap, base * 2 ^ math.min(trips - 1, 30)) * (0.5 + 0.5 * ARGV[1])
    redis.call('HDEL', key, 'run', 'good', 'bad', 'at', 'probe')
    redis.call('HSET', key, 'trips', trips, 'until', exact(now + pause))
    opened[#opened + 1] = i
    opened[#opened + 1] = string.format('%.6f', pause)
  end
  if mark == 'good' then
    redis.call('HSET', key, 'good_at', exact(now))
  elseif is_bad then
    redis.call('HSET', key, 'bad_at', exact(now), 'said', ARGV[2])
  end
  if mark ~= 'nothing' or probing == '1' then
    redis.call('EXPIRE', key, {KEPT_SECONDS})
  end
end
return opened
"""


def key_of(scope: Scope) -> str:
    # The braces keep a call's states together on a Redis that is spread over servers.
    account = "" if scope.account is None else f":{scope.account}"
    model = "" if scope.model is None else f":{scope.model}"
    return f"{_KEY_PREFIX}:{{{scope.provider}}}:{scope.kind.value}{account}{model}"


def entry_of(scopes: Sequence[Scope], answer: Sequence[str | int]) -> Entry:
    wait, which, said, *half = answer
    blocked = scopes[int(which) - 1] if which else None
    probes = frozenset(scopes[int(number) - 1] for number in half)
    return Entry(tuple(scopes), float(wait), blocked, probes, str(said))


def leaving(entry: Entry, marks: Marks, said: str, uniform: float) -> tuple[list[str], list[str]]:
    """Keys and arguments of the second script."""
    arguments = [repr(uniform), said]
    for scope in entry.scopes:
        rules = RULES[scope.kind]
        numbers = (rules.run, rules.base, rules.cap, rules.calls, rules.share)
        arguments += [marks[scope.kind].value, "1" if scope in entry.probes else "0", *map(repr, numbers)]
    return [key_of(scope) for scope in entry.scopes], arguments
