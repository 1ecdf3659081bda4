"""An OpenAI-compatible server for one small model: `python -m aico.embedded.local_model --port P --state-dir DIR`."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn

from aico.embedded.local_model.app import create_app
from aico.embedded.local_model.batching import BatchingEngine
from aico.embedded.local_model.engine import Engine
from aico.embedded.local_model.model_files import choose_backend, prepare_model
from aico.embedded.local_model.simulated import SimulatedEngine
from aico.embedded.ports import LOOPBACK

_log = logging.getLogger("aico.local_model")
_GRACE = 3  # seconds for open answers at the end


def default_threads() -> int:
    """All processors this process may use but one, which is left to the rest of the product."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(usable - 1, 1)


def load_engine(state_dir: Path, *, simulated: bool, threads: int, on_failure: Callable[[], None]) -> Engine:
    """The model, or its stand-in where it was asked for, is not installed or does not load."""
    if simulated or choose_backend(state_dir) == "simulated":
        return SimulatedEngine()
    try:
        return BatchingEngine(prepare_model(state_dir), threads=threads, on_failure=on_failure)
    except (ImportError, OSError, RuntimeError):
        _log.exception("the local model does not load; answers are simulated")
        return SimulatedEngine()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m aico.embedded.local_model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--simulated", action="store_true", help="run no model")
    parser.add_argument("--threads", type=int, default=default_threads(), help="processors for the model")
    options = parser.parse_args()
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")

    def leave() -> None:
        server.should_exit = True  # whoever supervises this process starts a fresh one

    def load() -> Engine:
        engine = load_engine(options.state_dir, simulated=options.simulated, threads=options.threads, on_failure=leave)
        _log.info("model %s, owned by %s", engine.model_id, engine.owned_by)
        return engine

    config = uvicorn.Config(
        create_app(load),
        host=LOOPBACK,
        port=options.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_GRACE,
    )
    server = uvicorn.Server(config)
    server.run()


if __name__ == "__main__":
    main()
