"""Where no collector is named nothing is told, and nothing is loaded to tell it with."""

import subprocess
import sys

from aico.tracing import spans
from aico.tracing.context import TraceContext

LOADS = """
import sys
import aico.api.app, aico.workers.embed, aico.workers.route, aico.workers.lane, aico.workers.batch
from aico.core.settings import Settings
from aico.tracing.switch import tracing
aico.api.app.create_app(Settings(_env_file=None))
with tracing(Settings(_env_file=None), "route"):
    told = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "google.protobuf", "aico.tracing.exporting")
    print([name for name in sys.modules if name.startswith(told)])
"""


def test_a_process_loads_nothing_to_export_with() -> None:
    environment = {"PATH": "", "PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_told() -> None:
    with spans.span("route", TraceContext(1, 2, sampled=True)) as span:
        assert span is None
        assert spans.traceparent() is None
    assert spans.span("route") is spans.SILENCE
