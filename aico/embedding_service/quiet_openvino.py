"""OpenVINO without its telemetry, which on import would write to the home directory and call out.

With the telemetry module marked as absent, OpenVINO uses its own no-op. Everything here imports OpenVINO from here.
"""

import sys
from typing import Any, cast

sys.modules.setdefault("openvino_telemetry", cast("Any", None))

import openvino as ov  # noqa: E402 - only after the line above
from openvino import opset14 as op  # noqa: E402 - likewise

__all__ = ["op", "ov"]
