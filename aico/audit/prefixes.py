"""Beginnings that prompts share, and what the providers' own prompt caches would have saved on them.

Simulated in the order of time, without knowing the future: a prefix is written where writing costs nothing extra, and
else when it comes for the second time within the cache's life; from then on it is read. Prefixes end where messages
end, and their tokens are the billed tokens of the prompt in proportion to their bytes.
"""

from typing import NamedTuple

import numpy as np

from aico.audit.naming import Named
from aico.audit.rows import Row
from aico.audit.state import Cents, State
from aico.core.usage import Usage

LIFE_SECONDS = 300.0  # since the last use
_NOT_ASKED = frozenset({"openai", "google"})  # they cache by themselves, and say so in the usage
_ASKED = frozenset({"anthropic"})  # it caches what a request marks
_NEVER = 1 << 62
# Tokens below which nothing is cached, by how the model's name begins, as published in October 2026; the first that
# fits. Where sources differ the larger figure stands, which saves less.
_LEAST: tuple[tuple[str, int], ...] = (
    *((name, 2048) for name in ("claude-opus-4-7", "claude-sonnet-4-6", "claude-haiku-3", "claude-3-haiku")),
    *((name, 4096) for name in ("claude-haiku", "claude-opus-4-5", "claude-opus-4-6", "claude-fable")),
    ("claude", 1024),
    ("gemini-2.5", 2048),
    ("gemini", 4096),
    ("", 1024),
)


class _Written(NamedTuple):
    ready: float
    used: float


def least_tokens(named: Named) -> int:
    if named.provider not in _NOT_ASKED | _ASKED:
        return _NEVER
    name = named.model.provider_model if named.model is not None else named.name
    return next(tokens for start, tokens in _LEAST if name.startswith(start))


class Prefixes:
    def __init__(self, *, automatic: bool) -> None:
        """`automatic`: also where providers cache by themselves and the log says that they did not."""
        self._providers = _ASKED | _NOT_ASKED if automatic else _ASKED
        self._seen: dict[tuple[str, bytes], float] = {}
        self._written: dict[tuple[str, bytes], _Written] = {}

    def save(self, state: State) -> Cents:
        """What is saved by row, less what writing costs extra: a row can cost more."""
        saved = np.zeros(len(state.log.rows))
        if not state.log.timed:
            return saved
        for place, row in enumerate(state.log.rows):
            usage, named = state.usage[place], state.named[place]
            if not state.open[place] or usage is None or named.provider not in self._providers:
                continue
            if named.provider in _NOT_ASKED and not row.cache_known:
                continue
            saved[place] = self._save(state, place, row, usage)
        return saved

    def _save(self, state: State, place: int, row: Row, usage: Usage) -> float:
        named, now, total = state.named[place], row.at or 0.0, usage.input_total
        long = [
            ((named.key, digest), int(share * total))
            for digest, share in row.prefixes
            if share * total >= least_tokens(named)
        ]
        read, write = self._read(long, now), self._write(long, now, state, place)
        for key, _ in long:
            self._seen[key] = now
        if write:
            self._written |= {
                key: _Written(now + (row.seconds or 0.0), now) for key, tokens in long if read < tokens <= write
            }
        reads = max(read, usage.cache_read)
        writes = max(0, min(write, total) - reads, min(usage.cache_write, total - reads))
        if (reads, writes) == (usage.cache_read, usage.cache_write):
            return 0.0
        after = usage.model_copy(
            update={"input_uncached": total - reads - writes, "cache_read": reads, "cache_write": writes}
        )
        listed = state.pricer.list_cents(named, after, row.at)
        if np.isnan(listed) or np.isnan(state.listed[place]) or state.listed[place] == 0:
            return 0.0
        return state.reprice(place, listed)

    def _read(self, long: list[tuple[tuple[str, bytes], int]], now: float) -> int:
        """Tokens of the longest prefix that is there, whose life begins again."""
        for key, tokens in reversed(long):
            written = self._written.get(key)
            if written is not None and written.ready <= now < written.used + LIFE_SECONDS:
                self._written[key] = written._replace(used=now)
                return tokens
        return 0

    def _write(self, long: list[tuple[tuple[str, bytes], int]], now: float, state: State, place: int) -> int:
        """Tokens up to the end of what is worth writing."""
        free = state.named[place].provider in _NOT_ASKED
        worth = [tokens for key, tokens in long if free or now - self._seen.get(key, -np.inf) < LIFE_SECONDS]
        return max(worth, default=0)
