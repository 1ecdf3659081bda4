import sys
from pathlib import Path
from typing import NamedTuple

import httpx2

from aico.embedded.child import ProcessSpec
from aico.embedded.ports import LOOPBACK
from aico.embedded.process import Command

_PATIENCE = 2.0  # seconds for one question


class ServedModel(NamedTuple):
    id: str
    owned_by: str  # "local" or "simulated"


class LocalModelServer:
    def __init__(self, state_dir: Path, port: int, *, simulated: bool = False, threads: int | None = None) -> None:
        self._state_dir = state_dir.resolve()
        self._origin = f"http://{LOOPBACK}:{port}"
        self._options = (
            *("--port", str(port), "--state-dir", str(self._state_dir)),
            *(("--simulated",) if simulated else ()),
            *(("--threads", str(threads)) if threads else ()),
        )

    def command(self) -> Command:
        return Command((sys.executable, "-m", "aico.embedded.local_model", *self._options))

    def spec(self) -> ProcessSpec:
        return ProcessSpec("local-model", self.command(), ready=self.ready)

    @property
    def url(self) -> str:
        """The base that OpenAI clients take, up to and including /v1."""
        return f"{self._origin}/v1"

    def ready(self) -> bool:
        """Whether the model is loaded."""
        try:
            return httpx2.get(f"{self._origin}/health", timeout=_PATIENCE).is_success
        except httpx2.TransportError:
            return False

    def served_model(self) -> ServedModel:
        """What the running server answers with: the model, or the simulated one where the model did not load."""
        reply = httpx2.get(f"{self._origin}/v1/models", timeout=_PATIENCE).raise_for_status()
        model = reply.json()["data"][0]
        return ServedModel(model["id"], model["owned_by"])
