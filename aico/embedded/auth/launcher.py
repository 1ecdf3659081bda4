import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx2

from aico.embedded.auth.files import Files
from aico.embedded.auth.signing import ensure_keys
from aico.embedded.child import ProcessSpec
from aico.embedded.ports import LOOPBACK
from aico.embedded.process import Command
from aico.store.scope import ACCOUNTS

_PATIENCE = 2.0  # seconds


def installed() -> bool:
    """Whether what it takes beside the product's own packages is there."""
    return all(importlib.util.find_spec(name) is not None for name in ("argon2", "websockets"))


class AuthServer:
    def __init__(self, state_dir: Path, port: int) -> None:
        self._state_dir = state_dir.resolve()
        self._port = port
        self.files = Files.under(state_dir)

    @property
    def url(self) -> str:
        """What clients take for the address of a Supabase project."""
        return f"http://{LOOPBACK}:{self._port}"

    def prepare(self) -> None:
        """Make the keys on first use."""
        ensure_keys(self.files.signing_keys)

    def spec(self, database: str, environment: Mapping[str, str]) -> ProcessSpec:
        """`database` is host, port and name; the process sees it as the role that the accounts are open to.

        For Realtime it logs in there by another role, whose password is among its files.
        """
        password = self.files.database_password.get_secret_value()
        environment = {**environment, "DATABASE_URL": f"postgresql://{ACCOUNTS}:{password}@{database}"}
        options = ("--port", str(self._port), "--state-dir", str(self._state_dir))
        command = Command((sys.executable, "-m", "aico.embedded.auth", *options), env=environment)
        return ProcessSpec("auth", command, ready=self.ready)

    def ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/auth/v1/health", timeout=_PATIENCE).is_success
        except httpx2.TransportError:
            return False
