"""Golden headers of the providers' documentation, and what must not be believed."""

from datetime import UTC, datetime

import pytest

from aico.routing.providers.rate_headers import nothing_left_for

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

OPENAI = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-reset-tokens": "6m0s",
}
CEREBRAS = {
    "x-ratelimit-limit-requests-day": "1000000000",
    "x-ratelimit-limit-tokens-minute": "1000000000",
    "x-ratelimit-remaining-requests-day": "999997455",
    "x-ratelimit-remaining-tokens-minute": "999998298",
    "x-ratelimit-reset-requests-day": "33011.382867",
    "x-ratelimit-reset-tokens-minute": "11.382867",
}
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
    "anthropic-ratelimit-requests-reset": "2026-11-20T12:00:05Z",
    "anthropic-ratelimit-input-tokens-limit": "2000000",
    "anthropic-ratelimit-input-tokens-remaining": "1999000",
    "anthropic-ratelimit-input-tokens-reset": "2026-11-20T12:00:30+00:00",
    "anthropic-ratelimit-output-tokens-limit": "400000",
    "anthropic-ratelimit-output-tokens-remaining": "400000",
    "anthropic-ratelimit-output-tokens-reset": "2026-11-20T12:01:00Z",
}
OPENROUTER = {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "19", "X-RateLimit-Reset": "1795176012000"}


@pytest.mark.parametrize("headers", [OPENAI, CEREBRAS, ANTHROPIC, OPENROUTER, {}], ids=str)
def test_where_something_is_left_nobody_waits(headers: dict[str, str]) -> None:
    assert nothing_left_for(headers, NOW) is None


@pytest.mark.parametrize(
    ("headers", "used_up", "seconds"),
    [
        (OPENAI, ["x-ratelimit-remaining-requests"], 1.0),
        (OPENAI, ["x-ratelimit-remaining-tokens"], 360.0),
        (OPENAI, ["x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens"], 360.0),
        (CEREBRAS, ["x-ratelimit-remaining-tokens-minute"], 11.382867),
        (CEREBRAS, ["x-ratelimit-remaining-requests-day"], 33011.382867),
        (ANTHROPIC, ["anthropic-ratelimit-requests-remaining"], 5.0),
        (ANTHROPIC, ["anthropic-ratelimit-input-tokens-remaining"], 30.0),
        (ANTHROPIC, ["anthropic-ratelimit-output-tokens-remaining"], 60.0),
        (OPENROUTER, ["X-RateLimit-Remaining"], 12.0),
    ],
)
def test_where_nothing_is_left_the_reset_is_waited_for(
    headers: dict[str, str], used_up: list[str], seconds: float
) -> None:
    found = {**headers, **dict.fromkeys(used_up, "0")}
    lower = {name.lower(): value for name, value in found.items()}
    assert nothing_left_for(lower, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("20ms", 0.02),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3723.0),
        ("1d", 86_400.0),
        ("7.66", 7.66),
        ("1795176012", 12.0),
        ("2026-11-20T12:00:07", 7.0),
        ("0", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("soon", None),
        ("", None),
        ("1s soon", None),
        ("9" * 400, None),
        ("400d", None),  # no limit is counted over more than a year
        ("2026-11-20T11:59:00Z", None),
        ("2036-11-20T12:00:00Z", None),
        ("1495176012", None),
    ],
)
def test_resets_come_in_many_forms_and_absurd_ones_are_not_believed(reset: str, seconds: float | None) -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset}
    found = nothing_left_for(headers, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("remaining", ["1", "none", "", "0x0", "9" * 400])
def test_what_is_left_has_to_be_a_number_to_count(remaining: str) -> None:
    headers = {"x-ratelimit-remaining-requests": remaining, "x-ratelimit-reset-requests": "5s"}
    assert nothing_left_for(headers, NOW) is None


def test_less_than_nothing_is_nothing_and_without_a_reset_nobody_knows_when() -> None:
    assert nothing_left_for({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "3"}, NOW) == 3
    assert nothing_left_for({"x-ratelimit-remaining": "0"}, NOW) is None
