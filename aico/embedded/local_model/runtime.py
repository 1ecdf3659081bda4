import importlib
import sys
from types import ModuleType
from typing import Any, cast


def load_runtime() -> ModuleType:
    """openvino_genai, imported on first use because it costs memory and seconds that the stand-in does not need.

    Its telemetry would write to the home directory and call out on import. With that module marked as absent,
    OpenVINO falls back to its own no-op. Raises ImportError where the package is missing or broken.
    """
    sys.modules.setdefault("openvino_telemetry", cast("Any", None))
    return importlib.import_module("openvino_genai")
