import statistics
from collections import Counter
from uuid import UUID

import pytest

from aico.core.assignment import (
    HELD_OUT,
    NO_PROGRAMME,
    NOT_ASSIGNED,
    ROUTED,
    Arm,
    Experiment,
    Holdout,
    Programme,
    Treatment,
    arm_of,
    draw,
    fraction,
)
from aico.core.jobs import CacheMode
from aico.core.strategies import StrategyName

ID = UUID(int=7)
UNITS = [f"unit {number}" for number in range(4000)]


def experiment(*arms: Arm) -> Experiment:
    return Experiment(id=ID, salt="salt", arms=arms)


def test_fractions_are_uniform_the_same_each_time_and_others_under_another_salt() -> None:
    marks = [fraction("salt", unit) for unit in UNITS]
    assert marks == [fraction("salt", unit) for unit in UNITS]
    assert 0.48 < statistics.mean(marks) < 0.52
    assert min(marks) >= 0
    assert max(marks) < 1
    other = [fraction("pepper", unit) for unit in UNITS]
    assert abs(statistics.correlation(marks, other)) < 0.05


def test_arms_are_drawn_by_their_weights() -> None:
    arms = experiment(Arm(name="a", weight=1), Arm(name="b", weight=3))
    counts = Counter(arm_of(arms, unit).name for unit in UNITS)
    assert counts["a"] == pytest.approx(1000, abs=100)


def test_what_is_held_out_goes_to_the_baseline_alone_and_into_no_experiment() -> None:
    programme = Programme(salt="s", experiments=(experiment(Arm(name="a"), Arm(name="b")),))
    drawn = [draw(programme, {"job": unit}, Holdout(0.2, "gpt-5.4")) for unit in UNITS]
    held = [one for one in drawn if HELD_OUT in one.arms]
    assert len(held) == pytest.approx(800, abs=100)
    for one in held:
        assert one.arms == (HELD_OUT,)
        assert one.direct
        assert one.treatment == Treatment(model="gpt-5.4", cache=CacheMode.OFF)
    assert {one.arms for one in drawn} == {(HELD_OUT,), (ROUTED, f"{ID}/a"), (ROUTED, f"{ID}/b")}


def test_what_cannot_be_held_out_is_in_neither_arm_of_the_holdout() -> None:
    assert draw(Programme(salt="s", holdout_share=1.0), {"job": "u"}, None) is NOT_ASSIGNED
    assert draw(NO_PROGRAMME, {"job": "u"}, None) is NOT_ASSIGNED


def test_an_experiment_draws_its_own_unit_and_passes_over_jobs_without_it() -> None:
    by_key = Experiment(id=ID, salt="s", unit="key", arms=(Arm(name="a"), Arm(name="b")))
    programme = Programme(salt="s", experiments=(by_key,))
    arms = {draw(programme, {"job": unit, "key": "k"}, None).arms for unit in UNITS[:50]}
    assert len(arms) == 1
    assert draw(programme, {"job": "u"}, None) is NOT_ASSIGNED


def test_an_arms_treatment_is_what_the_job_gets() -> None:
    treatment = Treatment(strategy=StrategyName.COMPLEXITY, quality_floor=0.5)
    drawn = draw(Programme(salt="s", experiments=(experiment(Arm(name="a", treatment=treatment)),)), {"job": "u"}, None)
    assert (drawn.treatment, drawn.direct) == (treatment, False)
