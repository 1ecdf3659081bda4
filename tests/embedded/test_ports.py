import socket

from aico.embedded.ports import LOOPBACK, free_port


def test_prefers_the_wanted_port() -> None:
    wanted = free_port(0)
    assert free_port(wanted) == wanted


def test_takes_another_when_something_listens() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        taken = listener.getsockname()[1]
        other = free_port(taken)
        assert other not in {0, taken}
        socket.create_server((LOOPBACK, other)).close()
