import socket
import sys
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"
_TRIES = 20  # ports that the system is asked for, should each be somebody else's a moment later
_taken = ExitStack()  # what is open for as long as this process lives


def free_port(preferred: int) -> int:
    """`preferred` if nothing listens on it at 127.0.0.1, else a port that the system says is free."""
    for port in (preferred, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                return _bind(probe, port)
            except OSError:
                continue
    raise OSError("no free port at 127.0.0.1")


def take_port(preferred: int) -> int:
    """Like `free_port`, and kept until this process ends, for the server that it will start there and start again.

    Nothing listens there yet, and still no other process is given it here: whoever takes a port binds the same number
    for UDP, which the server has no use for. On Linux the port is bound for TCP too, without listening: the system
    then gives it to no connection and to nobody who asks for any port, and yet a server with SO_REUSEADDR may listen.
    """
    for port in (preferred, *[0] * _TRIES):
        with ExitStack() as held:
            place = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            claim = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            try:
                number = _bind(place, port)
                claim.bind((LOOPBACK, number))
            except OSError:
                continue
            if sys.platform != "linux":
                place.close()  # elsewhere two sockets never share an address
            _taken.push(held.pop_all())
            return number
    raise OSError("no free port at 127.0.0.1")


def _bind(probe: socket.socket, port: int) -> int:
    """The port. Raises OSError where something listens on it, or has it for itself."""
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free for a server
    probe.bind((LOOPBACK, port))
    return int(probe.getsockname()[1])
