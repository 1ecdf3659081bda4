"""Credentials are taken out of what is logged, and words that only look a little like them are left."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import jwt
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from aico.core.keys import make_key
from aico.core.logs import configure_logging
from aico.core.redact import REDACTED, redact

SECRETS = [
    make_key("x").secret.get_secret_value(),
    "sb_secret_Zm9vYmFyYmF6cXV4",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "sk-proj-abcdefghijklmnop1234",
    "sk-ant-api03-abcdef_ghijkl-mnop",
    "sk-or-v1-0123456789abcdef",
    "csk-0123456789abcdef",
    "gsk_0123456789abcdef",
    "AIzaSyA-0123456789_abcdefghijklmnopqrst",
    "sk-abcd****************wxyz",
    jwt.encode({"sub": "somebody"}, "k" * 32, "HS256"),
]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:10])
@pytest.mark.parametrize("text", ["{}", "said ({}).", '{{"key": "{}"}}', "https://a.test/?key={}&b=c", "Bearer {}"])
def test_nothing_of_a_credential_is_left(secret: str, text: str) -> None:
    left = redact(text.format(secret))
    assert secret not in left
    assert secret[-8:] not in left
    assert REDACTED in left


def test_a_bearer_token_of_any_shape_goes() -> None:
    assert redact("Authorization: Bearer house-credential/1234==") == f"Authorization: Bearer {REDACTED}"
    assert redact("send `Authorization: Bearer <API key>`") == "send `Authorization: Bearer <API key>`"


@pytest.mark.parametrize(
    "text", ["the key-encryption key 'k1' is not configured", "a key-value store", "risk-adjusted", "job_ended", "eyJ"]
)
def test_words_stay(text: str) -> None:
    assert redact(text) == text


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60), st.text(max_size=20))
def test_a_known_secret_goes_wherever_the_text_was_cut(secret: str, before: str) -> None:
    whole = f"{before}{secret} is wrong"
    for end in range(len(before) + 4, len(whole)):
        left = redact(whole[:end], secret).replace(REDACTED, "")
        assert secret not in left
        assert not left.removeprefix(before).startswith(secret[:4]) or secret[:4] in before


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process of the product writes, as JSON lines."""
    root, defaults = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure_logging("DEBUG")  # below that, the words of exceptions are left out altogether
    yield written
    root.handlers = handlers
    root.setLevel(level)
    structlog.configure(**defaults)


def test_no_log_line_holds_a_credential(logged: io.StringIO) -> None:
    secret = SECRETS[3]
    log = structlog.get_logger("redact")
    log.info("refused", error=f"the key {secret} is wrong", deep={"list": [secret, {"more": secret}]})
    logging.getLogger("library").warning("sent %s", secret)
    for logger in (log, logging.getLogger("library")):
        try:
            int(f"cannot use {secret}")
        except ValueError:
            logger.exception("surprise")
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert len(lines) == 4
    assert secret not in logged.getvalue()
    assert secret[-8:] not in logged.getvalue()
    assert all("ValueError: invalid literal" in line["exception"] for line in lines[2:])
