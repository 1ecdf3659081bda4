import socket

LOOPBACK = "127.0.0.1"


def free_port(preferred: int) -> int:
    """`preferred` if nothing listens on it at 127.0.0.1, else a port that the system says is free."""
    for port in (preferred, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free for a server
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port at 127.0.0.1")
