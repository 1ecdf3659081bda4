import os
import secrets
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from aico.core.encryption_keys import KEY_BYTES

_BYTES = 24


def password(prefix: str = "") -> str:
    """`prefix` and 32 URL-safe characters."""
    return prefix + secrets.token_urlsafe(_BYTES)


def load_or_create_secret(path: Path, make: Callable[[], str] = password) -> SecretStr:
    """The secret kept in `path`, in a file that only its owner can read; made up on first use.

    The file appears whole or not at all, so that a process killed while writing leaves no half secret behind.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, make())
    return SecretStr(path.read_text(encoding="ascii"))


def new_encryption_key() -> str:
    """As ENCRYPTION_KEYS has it: an id, and 32 random bytes in base64."""
    return f"local-{secrets.token_hex(4)}:{b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step by a file of mode 0600 with this text."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)
