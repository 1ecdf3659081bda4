import threading

import pytest

from aico.workers.lanes import Lanes


def test_a_host_has_so_many_lanes_and_no_more() -> None:
    lanes = Lanes(2, patience=0)
    with lanes.entered("a") as first, lanes.entered("a") as second, lanes.entered("a") as third:
        assert (first, second, third) == (True, True, False)
        with lanes.entered("b") as elsewhere:
            assert elsewhere
    with lanes.entered("a") as again, lanes.entered("a") as other:
        assert (again, other) == (True, True)


def test_a_lane_that_frees_in_time_is_waited_for() -> None:
    lanes = Lanes(1, patience=10)
    inside, leave = threading.Event(), threading.Event()
    got: list[bool] = []

    def hold() -> None:
        with lanes.entered("a"):
            inside.set()
            leave.wait(10)

    def wait() -> None:
        leave.set()
        with lanes.entered("a") as free:
            got.append(free)

    holder, waiter = threading.Thread(target=hold), threading.Thread(target=wait)
    holder.start()
    assert inside.wait(10)
    waiter.start()
    waiter.join(10)
    holder.join(10)
    assert got == [True]


def test_a_lane_is_freed_by_an_error() -> None:
    lanes = Lanes(1, patience=0)
    with pytest.raises(LookupError), lanes.entered("a"):
        raise LookupError
    with lanes.entered("a") as free:
        assert free
