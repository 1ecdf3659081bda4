from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from aico.embedded.secret_file import load_or_create_secret, password


@dataclass(frozen=True, slots=True)
class Files:
    """What the server keeps between its runs: secrets in files of a folder, each made on first use and of mode 0600."""

    home: Path

    @classmethod
    def under(cls, state_dir: Path) -> "Files":
        return cls(state_dir.resolve() / "auth")

    @property
    def publishable_key(self) -> SecretStr:
        """For programs in browsers: no secret, whatever its type here."""
        return load_or_create_secret(self.home / "publishable.key", partial(password, "sb_publishable_"))

    @property
    def secret_key(self) -> SecretStr:
        """For those who administer accounts."""
        return load_or_create_secret(self.home / "secret.key", partial(password, "sb_secret_"))

    @property
    def database_password(self) -> SecretStr:
        return load_or_create_secret(self.home / "database.password")

    @property
    def realtime_password(self) -> SecretStr:
        """Of the role that the stand-in for Realtime logs in as."""
        return load_or_create_secret(self.home / "realtime.password")

    @property
    def refresh_key(self) -> SecretStr:
        """What successors of refresh tokens are computed with."""
        return load_or_create_secret(self.home / "refresh.key")

    @property
    def signing_keys(self) -> Path:
        """The file; see `signing`."""
        return self.home / "signing.keys"
