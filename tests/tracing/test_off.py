"""Where no collector is named nothing is told, and nothing is loaded to tell it with."""

import subprocess
import sys

import pytest
from listening import Listener, listening
from structlog.testing import capture_logs

from aico.tracing import spans
from aico.tracing.context import TraceContext
from aico.tracing.spans import Span

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


def test_a_sink_that_breaks_hurts_nobody_who_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_self: Listener, _span: Span) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Listener, "take", breaks)
    with listening() as told, capture_logs() as lines, spans.span("route"):
        spans.told("call", 1, {})
    assert told == []
    assert [line["event"] for line in lines] == ["span_not_taken"] * 2
