import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 8, 256  # characters


class Passwords:
    """argon2id hashes, made in threads of their own: so many at once and no more, as each takes 64 MiB and a core."""

    def __init__(self, hasher: PasswordHasher, *, at_once: int = 2) -> None:
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(at_once, "argon2")
        self._nobodys = hasher.hash(secrets.token_urlsafe())

    def close(self) -> None:
        self._threads.shutdown()

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Where nothing is stored the same work is done, and the answer is no."""
        matching = asyncio.get_running_loop().run_in_executor(
            self._threads, self._verified, stored or self._nobodys, password
        )
        return await matching and stored is not None

    def _verified(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
