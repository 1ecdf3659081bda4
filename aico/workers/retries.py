"""When a job that nobody answered is tried again."""

BASE_SECONDS = 1.0
CAP_SECONDS = 60.0


def next_pause(
    *, retries: int, max_retries: int, retry_after: float | None, seconds_left: float, uniform: float
) -> float | None:
    """Seconds until the next try after `retries` earlier ones; None where there is none left, or no time for it.

    Equal jitter (Brooker, "Exponential Backoff And Jitter", 2015): half of min(60, 2^retries) and a random part of the
    other half, `uniform` in [0, 1). What a provider asks for is honoured where it is longer.
    """
    if retries >= max_retries:
        return None
    ceiling = min(CAP_SECONDS, BASE_SECONDS * 2.0**retries)
    pause = max(ceiling / 2 * (1 + uniform), retry_after or 0.0)
    return pause if pause < seconds_left else None
