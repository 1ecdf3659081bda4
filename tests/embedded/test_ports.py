import socket
import subprocess
import sys

import pytest

from aico.embedded.ports import LOOPBACK, free_port, take_port


def test_prefers_the_wanted_port() -> None:
    wanted = free_port(0)
    assert free_port(wanted) == wanted


def test_takes_another_when_something_listens() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        taken = listener.getsockname()[1]
        other = free_port(taken)
        assert other not in {0, taken}
        socket.create_server((LOOPBACK, other)).close()


def test_two_processes_that_take_the_same_port_get_two_although_nothing_listens_yet() -> None:
    wanted = take_port(free_port(0))
    script = f"from aico.embedded.ports import take_port; print(take_port({wanted}))"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(other.stdout) not in {0, wanted}
    assert take_port(wanted) not in {0, wanted}


def test_a_port_that_was_taken_lets_its_server_listen_again_and_again() -> None:
    port = take_port(0)
    for _ in range(2):
        with socket.create_server((LOOPBACK, port)) as server, socket.create_connection((LOOPBACK, port)) as client:
            accepted, _ = server.accept()
            accepted.close()  # first: the connection stays behind on the server's port for a while
            assert client.recv(1) == b""


def test_a_port_on_which_something_listens_is_not_taken() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        assert take_port(listener.getsockname()[1]) not in {0, listener.getsockname()[1]}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere two sockets never share an address")
def test_the_system_gives_a_port_that_was_taken_to_no_connection() -> None:
    port = take_port(0)
    with socket.create_server((LOOPBACK, 0)) as server, socket.socket() as client:
        with pytest.raises(OSError, match="in use"):
            client.bind((LOOPBACK, port))
        client.connect(server.getsockname())
        assert client.getsockname()[1] != port
