"""What is found in a text as personal data, and what is left alone."""

from itertools import pairwise

import pytest

from aico.core.redaction import PiiKind
from aico.privacy.detector import PatternDetector

DETECTOR = PatternDetector("US")


def found(text: str) -> list[tuple[PiiKind, str]]:
    return [(one.kind, text[one.start : one.end]) for one in DETECTOR.find(text)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (PiiKind.EMAIL, "john.doe+news@mail.example.co.uk"),
        (PiiKind.EMAIL, "jürgen@müller.example"),
        (PiiKind.PHONE, "(212) 555-2368"),
        (PiiKind.PHONE, "+44 20 7946 0958"),
        (PiiKind.CARD, "4111 1111 1111 1111"),
        (PiiKind.CARD, "378282246310005"),
        (PiiKind.CARD, "5555-5555-5555-4444"),
        (PiiKind.IBAN, "DE89 3704 0044 0532 0130 00"),
        (PiiKind.IBAN, "GB82WEST12345698765432"),
        (PiiKind.IBAN, "fr1420041010050500013m02606"),
        (PiiKind.IP, "192.168.10.4"),
        (PiiKind.IP, "2001:db8::8a2e:370:7334"),
        (PiiKind.SSN, "536-90-4399"),
        (PiiKind.WALLET, "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
        (PiiKind.WALLET, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
        (PiiKind.WALLET, "0x52908400098527886E0F7030069857D2E4169EE7"),
        (PiiKind.SECRET, "sk-proj-abcdefghij1234567890abcdefghij"),
        (PiiKind.SECRET, "sk-ant-api03-abcdefghij1234567890"),
        (PiiKind.SECRET, "AKIAIOSFODNN7EXAMPLE"),
        (PiiKind.SECRET, "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
        (PiiKind.SECRET, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlMTIz"),
        (PiiKind.SECRET, "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "see {} please", "({}), then", "a: {}; b", "„{}“", "{}\n{}"])
def test_each_kind_is_found_wherever_it_stands(kind: PiiKind, value: str, around: str) -> None:
    text = around.replace("{}", value)
    assert found(text) == [(kind, value)] * around.count("{}")


@pytest.mark.parametrize(
    "text",
    [
        "at 12:30:45 on 2024-01-02, version 1.2.3, for 1,234,567.89 dollars",
        "std::vector<int> a; call f(4000000000000) @decorator",
        "4111 1111 1111 1112 is not a card, GB82WEST12345698765433 is no IBAN",
        "000-12-3456 and 666-12-3456 were never given to anybody",
        "256.1.1.1 is no address, and neither is 1.2.3.4.5",
        "0x5290840009852788 and 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
        "the token budget is 4096 tokens, the password is required",
        "",
    ],
)
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_number_is_found_where_others_follow_it() -> None:
    assert found("4111 1111 1111 1111 12/25 123") == [(PiiKind.CARD, "4111 1111 1111 1111")]
    assert found("DE89 3704 0044 0532 0130 00 THANKS") == [(PiiKind.IBAN, "DE89 3704 0044 0532 0130 00")]
    assert found("12 4111 1111 1111 1111") == [(PiiKind.CARD, "4111 1111 1111 1111")]


def test_what_is_called_a_secret_is_one() -> None:
    assert found('{"password": "hunter2hunter22"}') == [(PiiKind.SECRET, "hunter2hunter22")]
    assert found("API_KEY=abcd1234efgh5678") == [(PiiKind.SECRET, "abcd1234efgh5678")]
    assert found("Authorization: Bearer abcd1234efgh5678") == [(PiiKind.SECRET, "abcd1234efgh5678")]


def test_numbers_of_other_regions_need_their_country_code() -> None:
    german = PatternDetector("DE")
    assert [one.kind for one in german.find("030 901820")] == [PiiKind.PHONE]
    assert found("030 901820") == []
    with pytest.raises(ValueError, match="XX"):
        PatternDetector("XX")


@pytest.mark.parametrize("piece", ["a", "1", "1 ", "a.", ":", "a@", "-----BEGIN PRIVATE KEY-----", "AB12 ", "+1 212 "])
def test_findings_never_overlap_whatever_the_text(piece: str) -> None:
    findings = DETECTOR.find(piece * (10_000 // len(piece)))
    assert all(before.end <= after.start for before, after in pairwise(findings))
