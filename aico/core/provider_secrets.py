"""What a provider's key looks like, as far as all of them do."""

import re
from dataclasses import dataclass

from pydantic import SecretStr

SHORTEST, LONGEST = 8, 512
HEAVIEST = 100
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


@dataclass(frozen=True, slots=True)
class WeightedKey:
    """One of several keys of the operator's. Of two, the one of weight 3 makes three calls to the other's one."""

    api_key: SecretStr
    weight: int = 1


def weighted_keys(text: str) -> tuple[WeightedKey, ...]:
    """Keys by commas, each with its weight and a colon in front or without: `3:key,key`.

    Raises ValueError that says what is wrong, and nothing of what was there.
    """
    return tuple(_weighted(part.strip()) for part in text.split(",") if part.strip())


def _weighted(part: str) -> WeightedKey:
    weight, colon, key = part.partition(":")
    if not colon or not weight.isascii() or not weight.isdigit():
        return WeightedKey(provider_secret(part))
    if not 1 <= int(weight[:4]) <= HEAVIEST or len(weight) > len(str(HEAVIEST)):
        raise ValueError(f"a key's weight is 1 to {HEAVIEST}")
    return WeightedKey(provider_secret(key), int(weight))


def hint_of(secret: SecretStr) -> str | None:
    """Its last characters, to recognise it by."""
    text = secret.get_secret_value()
    return text[-_SHOWN:] if len(text) >= _LONG else None
