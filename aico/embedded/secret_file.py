import os
import secrets
from pathlib import Path

from pydantic import SecretStr

_BYTES = 24


def load_or_create_secret(path: Path, prefix: str = "") -> SecretStr:
    """The secret in `path`; made up on first use: `prefix` and 32 URL-safe characters that its owner alone can read.

    The file appears whole or not at all, so that a process killed while writing leaves no half secret behind.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, prefix + secrets.token_urlsafe(_BYTES))
    return SecretStr(path.read_text(encoding="ascii"))


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step by a file of mode 0600 with this text."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)
