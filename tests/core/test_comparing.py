"""What a tenant makes of what the service allows to be compared."""

from decimal import Decimal
from typing import Any

import pytest

from aico.core.assignment import fraction
from aico.core.comparing import USUAL_RATE, Comparing, Wishes, audits
from aico.core.settings import Settings

JUDGED = Settings.model_construct(judge_model="judge")


def test_without_a_judge_nothing_is_drawn_whatever_the_rate() -> None:
    unjudged = Settings.model_construct(shadow_rate=1.0)
    comparing = Comparing.of(unjudged, Wishes(shadow_rate=1.0, judge_model="mine"))
    assert (comparing.rate, comparing.judge) == (0.0, None)
    assert not comparing.draws("job")


@pytest.mark.parametrize(
    ("service", "wish", "rate"), [(None, None, USUAL_RATE), (None, 1.0, USUAL_RATE), (0.5, 0.1, 0.1), (0.0, 1.0, 0.0)]
)
def test_a_tenant_may_ask_for_less_and_not_for_more(service: float | None, wish: float | None, rate: float) -> None:
    settings = JUDGED.model_copy(update={"shadow_rate": service})
    assert Comparing.of(settings, Wishes(shadow_rate=wish)).rate == rate


def test_the_same_holds_for_the_money_and_another_judge_may_be_named() -> None:
    for wish, cents in ((None, Decimal(50)), (Decimal(60), Decimal(50)), (Decimal(3), Decimal(3))):
        comparing = Comparing.of(JUDGED, Wishes(judge_model="mine", judge_daily_cents=wish))
        assert comparing.daily_cents == cents
        assert comparing.judge == "mine"


def test_the_share_that_is_drawn_is_the_rate_and_has_nothing_to_do_with_the_holdout() -> None:
    comparing = Comparing(rate=0.2, judge="judge", daily_cents=Decimal(1), own_keys=False, draw_salt="salt")
    jobs = [f"job {number}" for number in range(5_000)]
    drawn = {job for job in jobs if comparing.draws(job)}
    held_out = {job for job in jobs if fraction("salt", job) < 0.2}
    assert abs(len(drawn) - 1_000) < 120  # more than four standard deviations
    assert abs(len(drawn & held_out) - 200) < 60
    assert {job for job in jobs if comparing.draws(job)} == drawn


@pytest.mark.parametrize(
    ("service", "wishes", "checked"),
    [
        ({}, Wishes(), True),
        ({"judge_model": None}, Wishes(judge_model="mine"), False),
        ({}, Wishes(judge_daily_cents=Decimal(0)), False),
        ({"judge_service_budget_cents": Decimal(0)}, Wishes(), False),
        ({"shadow_rate": 0.0}, Wishes(shadow_rate=0.0), True),
    ],
    ids=[
        "a judge",
        "no judge of the service",
        "no money of the tenant",
        "no money of the service",
        "no pairs of models",
    ],
)
def test_the_cache_is_checked_where_somebody_judges_and_may_be_paid(
    service: dict[str, Any], wishes: Wishes, checked: bool
) -> None:
    assert audits(JUDGED.model_copy(update=service), wishes) is checked
