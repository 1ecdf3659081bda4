"""The form of ENCRYPTION_KEYS. Faults are named by the entry's place: an error must not repeat a key."""

import base64
import binascii
import re
from collections.abc import Mapping

KEY_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


def parse_keys(text: str) -> Mapping[str, bytes]:
    """Key-encryption keys by id, the current one first, of `id:base64,id:base64`.

    Raises ValueError that says which entry is wrong and how, and never what it holds.
    """
    keys: dict[str, bytes] = {}
    for place, entry in enumerate(text.split(","), start=1):
        name, colon, encoded = entry.strip().partition(":")
        if not colon:
            raise ValueError(f"entry {place} has no colon: write id:key, with a key of 32 bytes in base64")
        if not _ID.fullmatch(name):
            raise ValueError(f"entry {place}: an id is 1 to 64 letters, digits, '_', '.' or '-'")
        if name in keys:
            raise ValueError(f"entry {place}: its id stands there twice")
        keys[name] = _decoded(place, encoded)
    return keys


def _decoded(place: int, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"entry {place}: the key is not base64") from None  # the cause would show what was there
    if len(key) != KEY_BYTES:
        raise ValueError(f"entry {place}: the key has {len(key)} bytes instead of {KEY_BYTES}")
    return key
