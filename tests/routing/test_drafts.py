"""A draft first: what is asked, what goes out and what is booked, with a provider that plays a script."""

from decimal import Decimal

import pytest
from routing.dispatching import BUSY, LARGE, REFUSED, SMALL, World, answer

from aico.core.chat import Completion
from aico.core.errors import BudgetExceeded
from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed, Cancelled

DRAFT, BETTER = answer("draft"), answer("better")


def never(_: Completion) -> bool:
    return False


def always(_: Completion) -> bool:
    return True


def test_a_draft_that_passes_is_the_answer_and_goes_out_at_once() -> None:
    world = World(DRAFT)
    dispatched = world.dispatch(stream=True, check=always)
    assert (dispatched.completion, dispatched.model, dispatched.verified) == (DRAFT, SMALL, "passed")
    assert world.deltas == ["draft"]
    assert world.outcomes() == [("gpt-5.4-nano", "ok")]


def test_a_draft_that_does_not_pass_is_seen_by_nobody() -> None:
    world = World(DRAFT, BETTER)
    dispatched = world.dispatch(stream=True, check=never)
    assert (dispatched.completion, dispatched.model, dispatched.verified) == (BETTER, LARGE, "escalated")
    assert world.deltas == ["better"]
    assert world.outcomes() == [("gpt-5.4-nano", "ok"), ("gpt-5.4", "ok")]
    assert dispatched.attempts == tuple(world.recorded)


def test_where_no_better_model_answers_the_draft_is_kept_and_its_attempt_comes_last() -> None:
    world = World(DRAFT, BUSY, BUSY, BUSY)
    dispatched = world.dispatch(stream=True, check=never)
    assert (dispatched.completion, dispatched.model, dispatched.verified) == (DRAFT, SMALL, "kept")
    assert world.deltas == ["draft"]
    assert [attempt.outcome.value for attempt in dispatched.attempts] == ["retryable"] * 3 + ["ok"]
    assert {attempt.id for attempt in dispatched.attempts} == {attempt.id for attempt in world.recorded}


def test_where_the_budget_allows_no_second_call_the_draft_is_kept() -> None:
    def afford(model: Model) -> None:
        if model is LARGE:
            raise BudgetExceeded("too much")

    world = World(DRAFT)
    assert world.dispatch(check=never, afford=afford).verified == "kept"
    assert len(world.asked) == 1
    with pytest.raises(BudgetExceeded):
        World(REFUSED).dispatch(check=never, afford=afford)


def test_once_a_better_answer_has_begun_the_draft_is_no_way_out() -> None:
    world = World(DRAFT, ("Bet", "ter"))
    with pytest.raises(AllCandidatesFailed, match="broken off"):
        world.dispatch(stream=True, check=never)
    assert world.deltas == ["Bet", "ter"]
    assert world.outcomes() == [("gpt-5.4-nano", "ok"), ("gpt-5.4", "retryable")]


def test_a_model_that_cannot_draft_leaves_the_answer_to_the_next_unchecked() -> None:
    world = World(REFUSED, BETTER)
    dispatched = world.dispatch(check=never)
    assert (dispatched.model, dispatched.verified) == (LARGE, None)


def test_nobody_is_asked_after_a_job_was_cancelled_over_its_draft() -> None:
    world = World(DRAFT, BETTER)

    def cancelled_meanwhile(_: Completion) -> bool:
        world.stop = True
        return False

    with pytest.raises(Cancelled) as caught:
        world.dispatch(stream=True, check=cancelled_meanwhile)
    assert (world.deltas, len(caught.value.attempts)) == ([], 1)


def test_a_draft_that_took_all_the_time_is_kept() -> None:
    world = World(DRAFT, BETTER, call_seconds=50)
    dispatched = world.dispatch(check=never, deadline=50)
    assert (dispatched.verified, len(world.asked)) == ("kept", 1)


def test_a_place_that_was_reserved_for_the_better_model_needs_no_second_draft() -> None:
    world = World(BETTER)
    dispatched = world.dispatch(check=never, reserved=LARGE.id)
    assert (dispatched.model, dispatched.verified) == (LARGE, None)
    assert sum((attempt.cost_cents or Decimal(0) for attempt in dispatched.attempts), Decimal(0)) > 0
