"""What providers say in the headers of every answer about what is left of their limits.

OpenAI, and Groq, xAI and others after it: `x-ratelimit-remaining-requests: 0`, `x-ratelimit-reset-requests: 6m0s`.
Cerebras names the window too: `x-ratelimit-remaining-tokens-minute`, `x-ratelimit-reset-tokens-minute: 11.4` (seconds).
Anthropic: `anthropic-ratelimit-input-tokens-remaining`, `anthropic-ratelimit-input-tokens-reset: 2026-11-20T12:00:30Z`.
OpenRouter: `x-ratelimit-remaining: 0`, `x-ratelimit-reset: 1795176030000` (milliseconds of Unix time).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

LONGEST_RESET = 31 * 86_400.0  # seconds; no limit is counted over a longer time, so what says so is no reset

_OPENAI = re.compile(r"x-ratelimit-remaining((?:-[a-z]+)*)")
_ANTHROPIC = re.compile(r"(anthropic-(?:[a-z]+-)*[a-z]+)-remaining")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}(?:\.\d+)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_MOMENT = 1e8  # a number beyond it is a moment and no duration: 3 years of seconds are no reset
_MILLIS = 1e11  # a moment beyond it is in milliseconds


def nothing_left_for(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until there is something left again, of whatever there is nothing left of; None where all has room.

    `headers` have names in lower case, or are looked up without regard to it. What cannot be read, or is absurd, is as
    if it were absent.
    """
    resets = [seconds for text in _resets(headers) if (seconds := _seconds(text, now)) is not None]
    return max(resets, default=None)


def _resets(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        lower = name.lower()
        reset = None
        if found := _OPENAI.fullmatch(lower):
            reset = f"x-ratelimit-reset{found[1]}"
        elif found := _ANTHROPIC.fullmatch(lower):
            reset = f"{found[1]}-reset"
        if reset is not None and _is_nothing(value) and (text := headers.get(reset)) is not None:
            yield text.strip()


def _is_nothing(value: str) -> bool:
    text = value.strip()
    return _NUMBER.fullmatch(text.removeprefix("-")) is not None and float(text) <= 0


def _seconds(text: str, now: datetime) -> float | None:
    if _NUMBER.fullmatch(text):
        seconds = float(text)
        if seconds > _MOMENT:
            seconds = (seconds / 1000 if seconds > _MILLIS else seconds) - now.timestamp()
    elif _DURATION.fullmatch(text):
        seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(text))
    else:
        moment = _moment(text)
        if moment is None:
            return None
        seconds = (moment - now).total_seconds()
    return seconds if 0 < seconds <= LONGEST_RESET else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
