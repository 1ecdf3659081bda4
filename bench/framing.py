"""The little of HTTP/1.1 that the load client and the mock provider need: keep-alive, and bodies of a stated length."""

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"


def take_message(buffer: bytearray) -> tuple[bytes, bytes] | None:
    """Remove the first whole message from `buffer`: its head in lower case, and its body. None: more must arrive.

    Raises ValueError for a message that states no length.
    """
    end = buffer.find(_END_OF_HEAD)
    if end < 0:
        return None
    head = bytes(buffer[:end]).lower()
    at = head.find(_LENGTH)
    if at < 0:
        raise ValueError(f"no content-length in {head[:200]!r}")
    start = end + len(_END_OF_HEAD)
    whole = start + int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
    if len(buffer) < whole:
        return None
    body = bytes(buffer[start:whole])
    del buffer[:whole]
    return head, body


def request_bytes(path: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{lines}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def response_bytes(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
