"""What a provider's key looks like, as far as all of them do."""

import re

from pydantic import SecretStr

SHORTEST, LONGEST = 8, 512
_SHOWN = 4  # characters
_LONG = 20  # a shorter key would be given away by its end
_SHAPE = re.compile(r"[!-~]+", re.ASCII)


def provider_secret(text: str) -> SecretStr:
    """Raises ValueError that says what is wrong, and nothing of what was there."""
    if not SHORTEST <= len(text) <= LONGEST:
        raise ValueError(f"a key has {SHORTEST} to {LONGEST} characters")
    if not _SHAPE.fullmatch(text):
        raise ValueError("a key is printable ASCII without white space")
    return SecretStr(text)


def hint_of(secret: SecretStr) -> str | None:
    """Its last characters, to recognise it by."""
    text = secret.get_secret_value()
    return text[-_SHOWN:] if len(text) >= _LONG else None
