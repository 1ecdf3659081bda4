"""Whether the intervals hold what they promise, by logs of which the truth is known."""

from pathlib import Path

import numpy as np
import pytest
from audit.auditing import audited, gathered, part
from audit.logs import pair, traffic, write

from aico.audit.caching import lives_of, serve_exact
from aico.audit.intervals import blocks_of, share_intervals
from aico.audit.reading import Lines
from aico.core.estimates import student, wilson


@pytest.mark.parametrize("sessions", [5, 15, 60, 120])
def test_the_true_share_lies_in_nineteen_of_twenty_intervals(sessions: int) -> None:
    """Sessions of unequal size, each with a taste of its own: the truth is 3 of 8 cents."""
    random, tries, held = np.random.default_rng(7), 300, 0
    for _ in range(tries):
        sizes = random.poisson(8, size=sessions) + 1
        blocks = np.repeat(np.arange(sessions), sizes)
        tastes = random.beta(3, 5, size=sessions)
        cost = random.gamma(2.0, 1.0, size=len(blocks))
        saved = cost * (random.uniform(size=len(blocks)) < tastes[blocks])
        (interval,), count = share_intervals(saved[None, :], cost, blocks)
        assert count == sessions
        held += interval.low <= 3 / 8 <= interval.high
    assert 0.92 <= held / tries <= 0.995


def test_logs_with_a_known_share_of_repeats_are_audited_with_it(tmp_path: Path) -> None:
    """Through every stage: made-up logs in which about 0.3 of the calls ask the common question again."""
    held = 0
    for seed in range(40):
        lines = Lines()
        log = gathered(write(tmp_path / "log.jsonl", traffic(240, repeats=0.3, sessions=40, seed=seed)), lines)
        served = serve_exact(log, lives_of(log, 86_400.0, 86_400.0)).how != 0
        cost = np.full(len(log.rows), 0.5)
        (interval,), count = share_intervals((served * cost)[None, :], cost, blocks_of(log.rows, timed=True))
        assert 35 <= count <= 40
        held += interval.low <= 0.3 <= interval.high
    assert held >= 35


def test_few_blocks_make_a_wide_interval_and_a_warning(tmp_path: Path) -> None:
    short = audited(tmp_path, traffic(24, repeats=0.4, sessions=4, seed=1))
    long = audited(tmp_path, traffic(600, repeats=0.4, sessions=100, seed=1))

    def width(report: object) -> float:
        exact = part(report, "exact")  # type: ignore[arg-type]
        return float((exact.cents.high - exact.cents.low) / report.log.cents)  # type: ignore[attr-defined]

    assert width(short) > 2 * width(long)
    assert any("intervals are wide" in warning for warning in short.warnings)
    assert not any("intervals are wide" in warning for warning in long.warnings)


def test_one_block_knows_nothing() -> None:
    (interval,), count = share_intervals(np.ones((1, 5)), np.full(5, 2.0), np.zeros(5, np.int64))
    assert (interval.low, interval.high, count) == (0.0, 1.0, 1)


def test_what_never_happened_may_still_happen() -> None:
    """In none of n blocks: up to 1 - 0.025 ** (1 / n)."""
    (interval,), _ = share_intervals(np.zeros((1, 20)), np.ones(20), np.arange(20))
    assert interval.low == 0
    assert interval.high == pytest.approx(0.1684, abs=1e-4)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.3027), (4, 2.7764), (10, 2.2281), (29, 2.0452), (1000, 1.9623)]
)
def test_students_t_is_as_in_the_tables(freedom: int, quantile: float) -> None:
    assert student(0.95, freedom) == pytest.approx(quantile, abs=0.006)


def test_wilsons_interval_is_as_in_the_tables() -> None:
    found = wilson(24, 479)
    assert found.low == pytest.approx(0.0339, abs=5e-4)
    assert found.high == pytest.approx(0.0736, abs=5e-4)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


def test_calls_belong_together_by_session_else_by_time(tmp_path: Path) -> None:
    def blocks(lines: object) -> int:
        log = gathered(write(tmp_path / "log.jsonl", lines), Lines())  # type: ignore[arg-type]
        return len(set(blocks_of(log.rows, timed=log.timed).tolist()))

    assert blocks(traffic(100, repeats=0.3, sessions=10, seed=1)) == 10
    assert blocks(pair(f"Q{n}", second=86_400.0 * n / 4) for n in range(100)) == 25 + 1
    assert blocks(pair(f"Q{n}", second=900.0 * n) for n in range(100)) == 25
    assert blocks(pair(f"Q{n}", second=float(n)) for n in range(100)) == 10
