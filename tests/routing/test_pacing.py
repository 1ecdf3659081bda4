import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.ids import new_id
from aico.core.usage import Usage
from aico.routing.catalogue import Catalogue
from aico.routing.models import Model
from aico.routing.pacing import Admission, Budget, Charge, NoPacer, Pacer, Unit, admit, used_tokens

NOW = 1_000.0
REQUESTS = Budget("openai", None, Unit.REQUESTS, 120)
TOKENS = Budget("openai", None, Unit.TOKENS, 60_000)
RARE = Budget("openai", None, Unit.REQUESTS, 2)

budgets = st.builds(Budget, st.just("openai"), st.none(), st.sampled_from(Unit), st.integers(1, 100_000))
seconds = st.floats(0, 100)


def test_what_a_budget_holds() -> None:
    assert (REQUESTS.interval, REQUESTS.burst) == (0.5, 10)
    assert (RARE.interval, RARE.burst) == (30, 30)  # one request at least


def test_a_rested_budget_holds_ten_seconds_worth_and_then_one_each_interval() -> None:
    arrival, waits = 0.0, []
    for _ in range(23):
        admission = admit([Charge(REQUESTS, 0.5)], [arrival], NOW, 60)
        assert admission.arrivals is not None
        (arrival,) = admission.arrivals
        waits.append(admission.wait)
    assert waits == [*[0.0] * 20, 0.5, 1.0, 1.5]


def test_beyond_the_patience_nothing_is_taken() -> None:
    assert admit([Charge(REQUESTS, 0.5)], [NOW + 12], NOW, 2.4) == Admission(2.5, None)
    assert admit([Charge(REQUESTS, 0.5)], [NOW + 12], NOW, 2.5) == Admission(2.5, (NOW + 12.5,))


def test_the_scarcest_budget_decides_and_all_are_charged() -> None:
    admission = admit([Charge(REQUESTS, 0.5), Charge(TOKENS, 4)], [0.0, NOW + 9], NOW, 60)
    assert admission == Admission(3.0, (NOW + 0.5, NOW + 13))


def test_a_cost_beyond_the_burst_waits_for_a_full_budget_and_is_charged_whole() -> None:
    assert admit([Charge(TOKENS, 45)], [0.0], NOW, 0) == Admission(0.0, (NOW + 45,))
    assert admit([Charge(TOKENS, 45)], [NOW + 3], NOW, 60).wait == 3
    assert admit([Charge(TOKENS, 0.001)], [NOW + 45], NOW, 60).wait == pytest.approx(35.001)


def test_giving_back_never_overfills() -> None:
    (arrival,) = admit([Charge(TOKENS, -50)], [NOW + 3], NOW, math.inf).arrivals or ()
    assert arrival == NOW
    assert admit([Charge(TOKENS, -2)], [NOW + 3], NOW, math.inf).arrivals == (NOW + 1,)


@given(budgets, seconds, seconds, st.floats(0.001, 100))
def test_nobody_comes_through_during_a_pause(budget: Budget, ahead: float, cost: float, pause: float) -> None:
    (arrival,) = admit([Charge(budget, 0.0, pause)], [NOW + ahead], NOW, math.inf).arrivals or ()
    assert Charge(budget, cost).wait(arrival, NOW) >= pause - 1e-6


@given(budgets, st.lists(st.tuples(st.floats(0, 5), st.floats(0, 30)), max_size=40), st.floats(0, 60))
def test_no_window_sees_more_than_the_budget_and_one_burst(
    budget: Budget, calls: list[tuple[float, float]], patience: float
) -> None:
    """Calls come `gap` seconds apart and go out when their wait is over."""
    now, arrival, sent = NOW, 0.0, []
    for gap, cost in calls:
        now += gap
        admission = admit([Charge(budget, min(cost, budget.burst))], [arrival], now, patience)
        if admission.arrivals is not None:
            (arrival,) = admission.arrivals
            sent.append((now + admission.wait, min(cost, budget.burst)))
    assert [moment for moment, _ in sent] == sorted(moment for moment, _ in sent)
    for first, (start, _) in enumerate(sent):
        taken = 0.0
        for moment, cost in sent[first:]:
            taken += cost
            assert taken <= budget.burst + max(0.0, moment - start) + 1e-6


@given(budgets, seconds, st.floats(0, 1_000_000))
def test_everything_passes_in_the_end(budget: Budget, ahead: float, cost: float) -> None:
    charge, arrival = Charge(budget, cost), NOW + ahead
    wait = admit([charge], [arrival], NOW, math.inf).wait
    assert wait <= ahead + 1e-6
    assert admit([charge], [arrival], NOW + wait, 1e-6).arrivals is not None


def test_without_limits_nobody_waits(catalogue: Catalogue) -> None:
    pacer: Pacer = NoPacer()
    model: Model = catalogue.models[0]
    pacer.back_off(model, 100)
    pacer.settle(model, 0, 1_000_000)
    assert (pacer.reserve(model, 1_000_000, patience=0), pacer.wait(model, 1_000_000)) == (0, 0)


@pytest.mark.parametrize(
    ("usage", "status", "tokens"),
    [
        (Usage(input_uncached=7, cache_read=2, output=3), None, 12),
        (Usage(), 429, 0),
        (Usage(), 503, 0),
        (Usage(), 200, None),
        (Usage(), None, None),
    ],
)
def test_used_tokens(usage: Usage, status: int | None, tokens: int | None, catalogue: Catalogue) -> None:
    model = catalogue.models[0]
    attempt = Attempt(
        id=new_id(),
        at=datetime(2026, 11, 20, tzinfo=UTC),
        kind=AttemptKind.CALL,
        outcome=AttemptOutcome.RETRYABLE,
        provider=model.provider,
        model=model.id,
        latency_ms=1,
        usage=usage,
        http_status=status,
    )
    assert used_tokens(attempt) == tokens
