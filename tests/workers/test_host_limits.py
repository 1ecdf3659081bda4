import threading

import pytest

from aico.workers.host_limits import HostLimits


def test_a_host_has_so_many_places_and_no_more() -> None:
    limits = HostLimits(per_host=2, per_endpoint=2, patience=0)
    with limits.entered("a", "1") as first, limits.entered("a", "2") as second, limits.entered("a", "3") as third:
        assert (first, second, third) == (True, True, False)
        with limits.entered("b", "4") as elsewhere:
            assert elsewhere
    with limits.entered("a", "3") as again, limits.entered("a", "1") as other:
        assert (again, other) == (True, True)


def test_an_endpoint_leaves_places_of_its_host_to_others() -> None:
    limits = HostLimits(per_host=3, per_endpoint=1, patience=0)
    with limits.entered("a", "slow") as first, limits.entered("a", "slow") as second:
        assert (first, second) == (True, False)
        with limits.entered("a", "quick") as neighbour:
            assert neighbour
    with limits.entered("a", "slow") as again:
        assert again


def test_a_place_that_frees_in_time_is_waited_for() -> None:
    limits = HostLimits(per_host=1, per_endpoint=1, patience=10)
    inside, leave = threading.Event(), threading.Event()
    got: list[bool] = []

    def hold() -> None:
        with limits.entered("a", "1"):
            inside.set()
            leave.wait(10)

    def wait() -> None:
        leave.set()
        with limits.entered("a", "2") as free:
            got.append(free)

    holder, waiter = threading.Thread(target=hold), threading.Thread(target=wait)
    holder.start()
    assert inside.wait(10)
    waiter.start()
    waiter.join(10)
    holder.join(10)
    assert got == [True]


def test_nobody_waits_where_that_was_in_vain_until_a_place_is_found_free() -> None:
    limits = HostLimits(per_host=1, per_endpoint=1, patience=0.01)
    with limits.entered("a", "1"):
        with limits.entered("a", "2") as in_vain:
            assert not in_vain
        limits._patience = 3600  # whoever waits now hangs
        with limits.entered("a", "2") as at_once:
            assert not at_once
    with limits.entered("a", "2") as found:
        assert found
    assert limits._stuck == set()


def test_a_place_is_freed_by_an_error() -> None:
    limits = HostLimits(per_host=1, per_endpoint=1, patience=0)
    with pytest.raises(LookupError), limits.entered("a", "1"):
        raise LookupError
    with limits.entered("a", "1") as free:
        assert free
