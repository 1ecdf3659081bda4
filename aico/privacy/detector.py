"""Finds personal data by its form and, where there is one, its check digits. Needs the extra `pii`; reads no network.

Every search is linear in the text: tokens are found by expressions that cannot go back far, and candidates are then
judged. Names and addresses have no form, and are not found.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address

import phonenumbers
from phonenumbers import Leniency, PhoneNumberMatcher
from stdnum import bitcoin, iban, luhn
from stdnum.us import ssn

from aico.core.redaction import Finding, PiiKind

Span = tuple[int, int]

_SECRETS = re.compile(
    r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?:(?!-----)[\s\S]){1,8192}-----END (?:[A-Z]+ )?PRIVATE KEY-----"
    r"|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"  # a JSON web token
    r"|\b(?:sk|pk|rk|ak)[-_](?:[a-z0-9]{2,12}[-_]){0,3}[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, Stripe and others
    r"|\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"  # AWS
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}|\bglpat-[\w-]{20,}"
    r"|\bxox[abeprs]-[A-Za-z0-9-]{10,}|\bAIza[\w-]{35}|\bya29\.[\w-]{20,}|\bhf_[A-Za-z0-9]{30,}"
    r"|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{40,}|\bwhsec_[A-Za-z0-9+/=]{16,}|\bSG\.[\w-]{16,}\.[\w-]{16,}"
    r"|\baico_live_\w{16,}"
)
# A value that is named a secret.
_NAMED_SECRET = re.compile(
    r"(?i)(?<![A-Za-z])(?:api[ _-]?key|secret(?:[ _-]?key)?|(?:access|auth)[ _-]?token|token|passw(?:or)?d|bearer)"
    r"(?:[\"']?\s{0,3}[:=]\s{0,3}|\s)[\"']?(?=[^\s\"',;]{0,64}\d)([^\s\"',;<>]{12,512})"
)
_EMAIL = re.compile(r"(?<![\w.!#$%&'*+/=?^{|}~-])[\w.!#$%&'*+/=?^{|}~-]{1,64}@(?:[\w-]{1,63}\.){1,8}\w{2,63}")
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?=[ -]?\w{4})(?:[ -]?[A-Za-z0-9]){11,30}\b")
_IBAN_LEAST, _IBAN_MOST = 15, 34
_WALLET = re.compile(r"\b(?:0x[0-9a-fA-F]{40}|[13][1-9A-HJ-NP-Za-km-z]{25,34}|(?:bc1|BC1)[0-9A-Za-z]{11,71})\b")
_CARD = re.compile(r"(?<![0-9A-Za-z])(?=([2-6](?:[ -]?\d){12,18}))")
_CARD_LEAST = 13
_SSN = re.compile(r"(?<![\d-])\d{3}[ -]\d{2}[ -]\d{4}(?![\d-])")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]{0,4}:)[0-9A-Fa-f:]{6,39}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])")
_MANY_DIGITS = re.compile(r"\d[^\d\n]{0,4}\d[^\d\n]{0,4}\d[^\d\n]{0,4}\d[^\d\n]{0,4}\d")  # no telephone has fewer


class PatternDetector:
    """`region` is the country, as in ISO 3166, whose telephone numbers are known without `+` and country code."""

    def __init__(self, region: str) -> None:
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError(f"no telephone numbers are known for the region {region!r}")
        self._region = region
        # In the order in which they win where two find the same text.
        self._finders: tuple[tuple[PiiKind, Callable[[str], Iterator[Span]]], ...] = (
            (PiiKind.SECRET, _secrets),
            (PiiKind.EMAIL, _emails),
            (PiiKind.IBAN, _ibans),
            (PiiKind.WALLET, _wallets),
            (PiiKind.CARD, _cards),
            (PiiKind.SSN, _ssns),
            (PiiKind.IP, _ips),
            (PiiKind.PHONE, self._phones),
        )

    def find(self, text: str) -> Sequence[Finding]:
        found = [(start, end, rank) for rank, (_, finder) in enumerate(self._finders) for start, end in finder(text)]
        merged: list[tuple[int, int, int]] = []
        for start, end, rank in sorted(found):
            if merged and start < merged[-1][1]:
                first, until, before = merged[-1]
                merged[-1] = (first, max(until, end), min(before, rank))
            else:
                merged.append((start, end, rank))
        return [Finding(start, end, self._finders[rank][0]) for start, end, rank in merged]

    def _phones(self, text: str) -> Iterator[Span]:
        if not _MANY_DIGITS.search(text):
            return
        for match in PhoneNumberMatcher(text, self._region, leniency=Leniency.VALID):
            opened = match.raw_string.startswith("(") and ")" not in match.raw_string
            yield match.start + opened, match.end


def _secrets(text: str) -> Iterator[Span]:
    for match in _SECRETS.finditer(text):
        yield match.span()
    for match in _NAMED_SECRET.finditer(text):
        yield match.span(1)


def _emails(text: str) -> Iterator[Span]:
    if "@" in text:
        yield from (match.span() for match in _EMAIL.finditer(text))


def _ibans(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        end = _longest(match[0], _IBAN_LEAST, _IBAN_MOST, iban.is_valid)
        if end:
            yield match.start(), match.start() + end


def _wallets(text: str) -> Iterator[Span]:
    for match in _WALLET.finditer(text):
        wallet = match[0]
        # The library does not check the newer bc1p…, nor the letter case that guards 0x…: their form is enough.
        if wallet.startswith(("0x", "bc1p", "BC1P")) or bitcoin.is_valid(wallet):
            yield match.span()


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        end = _longest(match[1], _CARD_LEAST, len(match[1]), luhn.is_valid)
        following = text[match.start() + end : match.start() + end + 1]
        if end and not following.isalnum():
            yield match.start(), match.start() + end


def _ssns(text: str) -> Iterator[Span]:
    for match in _SSN.finditer(text):
        if ssn.is_valid(match[0].replace(" ", "-")):
            yield match.span()


def _ips(text: str) -> Iterator[Span]:
    for match in _IPV4.finditer(text):
        if _is_address(match[0]):
            yield match.span()
    for match in _IPV6.finditer(text):
        if match[0].count(":") > 1 and _is_address(match[0]):
            yield match.span()


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _longest(candidate: str, least: int, most: int, valid: Callable[[str], bool]) -> int:
    """Where the longest valid number ends that the candidate begins with; 0 where none does.

    What follows a number, such as another one, may have been taken for a part of it.
    """
    ends = [place + 1 for place, character in enumerate(candidate) if character.isalnum()]
    for count in range(min(most, len(ends)), least - 1, -1):
        number = "".join(character for character in candidate[: ends[count - 1]] if character.isalnum())
        if valid(number):
            return ends[count - 1]
    return 0
