"""Which addresses a webhook may go to."""

import ipaddress
import socket
from typing import Any

import pytest

from aico.core.errors import InvalidInput, Unavailable
from aico.workers.egress import is_public, parse_url, resolve

PUBLIC = ("8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2001:4860:4860::8888")
PRIVATE = (
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd12::1"),
    *("127.0.0.1", "127.8.8.8", "::1"),
    *("169.254.1.1", "fe80::1", "fe80::1%2", "fec0::1"),
    *("100.64.0.1", "100.127.255.254"),  # CGNAT
    *("224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"),
    *("0.0.0.0", "0.1.2.3", "::", "240.0.0.1", "255.255.255.255"),  # noqa: S104 - judged, not bound to
    *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1"),
    "2606:4700:4700::1111%1",  # a zone chooses an interface
    *("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"),  # clouds' metadata
    *("192.0.2.1", "192.88.99.1", "198.18.0.1", "2001:db8::1"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_anybodys(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


def names(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Every name has these addresses; returns the names that were looked up."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_the_connection_goes_to_the_address_that_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = names(monkeypatch, "93.184.215.14", "2606:4700:4700::1111")
    url = parse_url("https://Bücher.example:8443/hook?x=1", allow_private=False)
    destination = resolve(url, allow_private=False)
    assert str(destination.url) == "https://93.184.215.14:8443/hook?x=1"
    assert destination.host == "xn--bcher-kva.example:8443"
    assert destination.server_name == "xn--bcher-kva.example"
    assert asked == ["xn--bcher-kva.example"]


def test_an_ipv6_address_is_bracketed(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, "2606:4700:4700::1111")
    destination = resolve(parse_url("https://hooks.test/", allow_private=False), allow_private=False)
    assert str(destination.url) == "https://[2606:4700:4700::1111]/"
    assert destination.host == "hooks.test"


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("93.184.215.14", "10.0.0.1"), ("::ffff:169.254.169.254",)])
def test_a_name_with_any_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    names(monkeypatch, *addresses)
    url = parse_url("https://hooks.test/", allow_private=False)
    with pytest.raises(InvalidInput, match=r"^hooks\.test is not at a public address$"):
        resolve(url, allow_private=False)
    assert resolve(url, allow_private=True).server_name == "hooks.test"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "2130706433", "0x7f000001", "0X7F.1", "017700000001", "127.1", "127.0.0.1.", "0", "10.1"),
        *("127\u30020\u30020\u30021", "169.254.169.254", "0xa9fea9fe", "192.168.0.1", "100.100.100.200"),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]", "[64:ff9b::a00:1]"),
        *("[2002:7f00:1::]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[2606:4700:4700::1111%1]", "[fd00:ec2::254]"),
        *("localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "printer.local"),
        *("metadata.google.internal", "metadata.google.internal."),
    ],
)
def test_other_spellings_of_inside_are_refused_before_anything_is_looked_up(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    asked = names(monkeypatch, "93.184.215.14")
    with pytest.raises(InvalidInput, match="is not a public address"):
        parse_url(f"https://{host}/", allow_private=False)
    parse_url(f"https://{host}/", allow_private=True)
    assert asked == []


@pytest.mark.parametrize("host", ["0177.0.0.1", "127.0.0.1.1", "256.1.1.1", "0x.0x", "4294967296", "a.08", "%31.0.0.1"])
def test_what_ends_in_a_number_is_an_address_or_nothing(host: str) -> None:
    with pytest.raises(InvalidInput, match=r"is not an address|not a URL"):
        parse_url(f"https://{host}/", allow_private=True)


@pytest.mark.parametrize("host", ["8.8.8.8", "134744072", "[2606:4700:4700::1111]", "hooks.test", "hooks.test."])
def test_public_hosts_are_taken(host: str) -> None:
    assert parse_url(f"https://{host}/", allow_private=False).scheme == "https"


def test_the_certificate_is_for_the_name_without_the_dot_of_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = names(monkeypatch, "93.184.215.14")
    destination = resolve(parse_url("https://hooks.test./", allow_private=False), allow_private=False)
    assert (destination.server_name, asked) == ("hooks.test", ["hooks.test"])


def test_a_name_without_an_address_may_have_one_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    url = parse_url("https://hooks.test/", allow_private=False)
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(Unavailable, match="cannot be resolved"):
        resolve(url, allow_private=False)


def test_a_name_that_no_resolver_takes() -> None:
    url = parse_url(f"https://{'a' * 64}.test/", allow_private=False)
    with pytest.raises(Unavailable, match="cannot be resolved"):
        resolve(url, allow_private=False)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "https://"),
        ("hooks.test", "https://"),
        ("ftp://hooks.test/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https://", "host name"),
        ("https:///path", "host name"),
        ("https://hooks.test:99999/", "99999 is not a port"),
        ("https://hooks.test/\x00", "not a URL"),
        ("http://hooks.test/", "WEBHOOK_ALLOW_PRIVATE"),
        ("https://me:secret@hooks.test/", "no user name"),
        ("https://me@hooks.test/", "no user name"),
        ("https://hooks.test\\@elsewhere.test/", "no user name"),
        ("https://hooks%2etest/", "not a host name"),
        ("https://hooks test/", "not a host name"),
        ("https://./", "not a host name"),
        ("https://hooks..test/", "not a host name"),
        ("https://hooks.test/" + "a" * 2000, "at most 2000 characters"),
    ],
)
def test_urls_that_cannot_be_endpoints(url: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        parse_url(url, allow_private=False)


def test_plain_http_is_for_the_own_network() -> None:
    assert parse_url("http://hooks.test/", allow_private=True).host == "hooks.test"
