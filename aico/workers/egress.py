"""Where requests to addresses that tenants chose may go: never into the operator's own network.

A name is looked up once. The addresses that came back are judged, and the connection goes to one of them: a name that
resolves differently a moment later leads nowhere else.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import httpx2

from aico.core.errors import InvalidInput, Unavailable

_PORTS = {"https": 443, "http": 80}
_MAX_PORT = 65535
_MAX_URL = 2000  # characters, as the table has it
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE)  # in ASCII, as it is looked up; no escapes, no zone
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.IGNORECASE)
_PRIVATE_DOMAINS = ("localhost", "localdomain", "local", "internal")  # no public name ends so
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # leaves out every form that wraps an IPv4 address, but for 6to4
# What `is_global` takes for public, in all or some versions of Python.
_SPECIAL = (
    IPv4Network("168.63.129.16/32"),  # Azure's platform: agents and metadata
    IPv4Network("192.0.0.0/24"),  # protocol assignments; Oracle's metadata
    IPv4Network("192.88.99.0/24"),  # gateways from 6to4
)


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked address, and the names under which the server there is asked for."""

    url: httpx2.URL  # with the address in place of the name
    host: str  # the Host header
    server_name: str  # what the certificate must be for


def parse_url(text: str, *, allow_private: bool) -> httpx2.URL:
    """An https URL with a host that may be public, or any http one where private addresses are allowed.

    Raises InvalidInput. Looks nothing up: a name is judged by its addresses when something is sent there.
    """
    if len(text) > _MAX_URL:
        raise InvalidInput(f"a webhook's URL has at most {_MAX_URL} characters, this one {len(text)}")
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise InvalidInput(f"this is not a URL: {error}") from error
    if url.scheme not in _PORTS or not url.host:
        raise InvalidInput("a webhook's URL begins with https:// and a host name")
    if url.scheme == "http" and not allow_private:
        raise InvalidInput("a webhook's URL begins with https://; plain http needs WEBHOOK_ALLOW_PRIVATE=true")
    if url.port is not None and not 0 < url.port <= _MAX_PORT:
        raise InvalidInput(f"{url.port} is not a port")
    if url.userinfo:
        raise InvalidInput("a webhook's URL holds no user name and no password: the signature proves who sends")
    _check_host(url.raw_host.decode("ascii"), allow_private=allow_private)
    return url


def _check_host(host: str, *, allow_private: bool) -> None:
    name = host.removesuffix(".")
    literal = _literal(name)
    if literal is None and not _NAME.fullmatch(name):
        raise InvalidInput(f"{host!r} is not a host name")
    private = name.lower().rpartition(".")[2] in _PRIVATE_DOMAINS if literal is None else not is_public(literal)
    if private and not allow_private:
        raise InvalidInput(f"{host} is not a public address")


def _literal(name: str) -> IPv4Address | IPv6Address | None:
    """The address that a resolver would take this for without asking anybody; None for a name.

    What ends in a number is an IPv4 address, as the URL standard (WHATWG) has it: also with fewer parts than four, and
    with parts in octal or hexadecimal.
    """
    try:
        if ":" in name:
            return IPv6Address(name)
        if _NUMBER.fullmatch(name.rpartition(".")[2]):
            return IPv4Address(socket.inet_aton(name))
    except (ipaddress.AddressValueError, OSError) as error:
        raise InvalidInput(f"{name!r} is not an address") from error
    return None


def resolve(url: httpx2.URL, *, allow_private: bool) -> Destination:
    """Raises InvalidInput when any address of the host is not public, and Unavailable when it has none.

    The messages name no address: they are shown to whoever chose the URL.
    """
    name = url.raw_host.decode("ascii").removesuffix(".")
    addresses = _look_up(name, url.port or _PORTS[url.scheme])
    if not allow_private and not all(map(is_public, addresses)):
        raise InvalidInput(f"{name} is not at a public address")
    return Destination(url.copy_with(host=str(addresses[0])), url.netloc.decode("ascii"), name)


def _look_up(name: str, port: int) -> list[IPv4Address | IPv6Address]:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label of the name is too long
        raise Unavailable(f"{name} cannot be resolved") from error
    return [ipaddress.ip_address(address[0]) for *_, address in found]


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is reachable by anybody: by the IANA special-purpose registries, which `is_global` follows.

    Private, shared (CGNAT), loopback, link-local, multicast, unspecified and metadata addresses are not; nor is an IPv6
    address that stands for an IPv4 one (mapped, compatible, NAT64, 6to4, Teredo), because a gateway would unwrap it,
    or one that names a zone, because that chooses an interface.
    """
    if isinstance(address, IPv6Address):
        special = address.sixtofour is not None or address.scope_id is not None
        return address.is_global and address in _GLOBAL_UNICAST and not special
    return address.is_global and not address.is_multicast and not any(address in network for network in _SPECIAL)
