"""The measures of routing, held against figures worked out by hand, and the command that prints them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.routing.deciding import Cost
from bench.routing.metrics import among_many, recovered, sweep
from bench.routing.report import cost_table, many_table, pairs_table
from bench.routing.row import row
from bench.routing.several import ManyRow
from bench.routing.tables import SHAPES

WEAK, STRONG = np.array([0.0, 0.0, 1.0, 0.0]), np.array([1.0, 1.0, 1.0, 0.0])


def test_a_sweep_sends_the_highest_scores_to_the_strong_model() -> None:
    assert sweep(np.array([4.0, 3, 2, 1]), WEAK, STRONG) == pytest.approx([0.25, 0.5, 0.75, 0.75, 0.75])
    assert sweep(np.array([1.0, 2, 3, 4]), WEAK, STRONG) == pytest.approx([0.25, 0.25, 0.25, 0.5, 0.75])


def test_prompts_of_one_score_share_what_they_gain() -> None:
    assert sweep(np.zeros(4), WEAK, STRONG) == pytest.approx([0.25, 0.375, 0.5, 0.625, 0.75])
    assert recovered(np.zeros(4), WEAK, STRONG, (1, 10)).apgr == pytest.approx(0.5)


def test_what_is_recovered_by_a_perfect_and_by_the_worst_order() -> None:
    best = recovered(np.array([4.0, 3, 2, 1]), WEAK, STRONG, (1, 10))
    # Recovered: 0, 1/2, 1, 1, 1. Four trapezoids of width 1/4.
    assert best.apgr == pytest.approx((0.25 + 0.75 + 1 + 1) / 4)
    assert [best.cpt50, best.cpt80] == pytest.approx([0.25, 0.4])
    # 95 % of 0.75 is 0.7125: 0.2125 of the step from 0.5 to 0.75 lies at 0.85 of it.
    share = (1 + 0.85) / 4
    assert best.cost95 == pytest.approx((share * 10 + (1 - share) * 1) / 10)
    assert recovered(np.array([1.0, 2, 3, 4]), WEAK, STRONG, (1, 10)).apgr == pytest.approx(1 - best.apgr)


def test_among_many_models_the_best_alone_is_the_measure() -> None:
    quality = np.array([[1.0, 0, 1], [0, 1, 1], [0, 0, 1], [0, 0, 0]])
    known = among_many(quality, quality, (1, 2, 10))
    assert known.at_best == pytest.approx((1 + 2 + 10 + 1) / 4 / 10)
    assert known.highest == pytest.approx(1)
    unknown = among_many(np.tile(quality.mean(axis=0), (4, 1)), quality, (1, 2, 10))
    assert (unknown.at_best, unknown.at_95) == (1.0, 1.0)
    wrong = among_many(1 - quality, quality, (1, 2, 10))
    assert wrong.at_best is None


def test_tables_name_what_was_measured() -> None:
    one = recovered(np.array([4.0, 3, 2, 1]), WEAK, STRONG, (1, 10))
    shown = pairs_table([row("mmlu", "learning", "300 labels", [one, one], aim=0.8)])
    assert shown.splitlines()[-1].split() == [
        *("mmlu", "learning", "300", "labels", "2", "0.750", "0.000", "25.0%", "40.0%", "0.516", ">=", "0.800"),
        "missed",
    ]
    assert "not reached" in many_table([ManyRow("learning", 10, 1, None, 0.2, 1.0)])
    assert "met" in cost_table([Cost("a decision", 0.1, "<= 0.3", met=True)])


def test_models_are_listed_from_the_cheapest_to_the_dearest() -> None:
    for shape in SHAPES.values():
        prices = list(shape.prices.values())
        assert prices == sorted(prices)
        assert {shape.weak, shape.strong} <= shape.prices.keys()


def test_without_the_tables_the_command_says_where_it_looked(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.routing", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 2
    assert "mmlu.dev.jsonl.gz is not there; name the folder" in done.stderr
    assert done.stdout == ""
