"""What reaches a collector, and what becomes of those who tell it where there is none."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from collecting import Collector, collecting
from pydantic import SecretStr

from aico.core.errors import InvalidInput
from aico.core.settings import Settings
from aico.tracing import spans
from aico.tracing.context import TraceContext, ids_of
from aico.tracing.spans import SpanEvent
from aico.tracing.switch import tracing

JOB = UUID("01980000-0000-7000-8000-000000000001")
UNSAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def settings(endpoint: str | None, **more: Any) -> Settings:
    return Settings(_env_file=None, otel_exporter_otlp_endpoint=endpoint, state_dir=Path(), **more)  # type: ignore[call-arg]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


def test_a_span_keeps_its_ids_times_and_parent(collector: Collector) -> None:
    with tracing(settings(collector.url), "test"):
        own, parent = spans.of_job(JOB, None)
        assert parent is None
        spans.told("child", 10, {"a": 1, "left out": None}, parent=own, ended=20, error="odd")
        spans.tell(spans.Span("job", own, began=5, ended=30, events=[SpanEvent("put_back", 7, {"b": "c"})]))
    child, job = sorted(collector.spans, key=lambda span: span.name)
    assert (child.trace, child.parent, child.began, child.ended) == (f"{ids_of(JOB)[0]:032x}", job.id, 10, 20)
    assert (child.attributes, child.failed) == ({"a": 1, "error.type": "odd"}, True)
    assert (job.id, job.parent, job.events) == (f"{ids_of(JOB)[1]:016x}", "", [("put_back", {"b": "c"})])
    assert (job.service, job.failed) == ("aico-test", False)


def test_within_a_span_others_are_its_children_and_what_breaks_is_named(collector: Collector) -> None:
    with tracing(settings(collector.url), "test"):
        with pytest.raises(ValueError, match="secret"), spans.span("outer"), spans.span("inner"):
            raise ValueError("a secret")
        assert spans.current() is None
    inner, told = collector.spans
    assert (inner.parent, inner.trace) == (told.id, told.trace)
    assert told.attributes == inner.attributes == {"error.type": "ValueError"}
    assert not any(b"secret" in body for body in collector.bodies)


def test_a_trace_that_its_caller_does_not_keep_is_not_kept(collector: Collector) -> None:
    with tracing(settings(collector.url), "test"):
        own, parent = spans.of_job(JOB, UNSAMPLED)
        assert parent is not None
        with spans.span("route", own):
            spans.told("call", 1, {})
        spans.told("kept", 1, {}, parent=TraceContext(own.trace, own.span, sampled=True))
    assert [span.name for span in collector.spans] == ["kept"]


def test_every_process_keeps_the_same_share_of_jobs(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    jobs = [UUID(int=JOB.int + number) for number in range(100)]
    kept = []
    for part in ("route", "embed"):
        with tracing(settings(collector.url), part):
            kept.append([job for job in jobs if spans.of_job(job, None)[0].sampled])
            for job in jobs:
                spans.told(part, 1, {}, parent=spans.of_job(job, None)[0])
    assert kept[0] == kept[1]
    assert 20 < len(kept[0]) < 80
    assert len(collector.spans) == 2 * len(kept[0])


def test_the_latest_names_are_used_where_they_are_asked_for(collector: Collector) -> None:
    told = {"gen_ai.usage.cache_creation.input_tokens": 7, "gen_ai.usage.input_tokens": 9}
    for opt_in in ("", "http, gen_ai_latest_experimental"):
        with tracing(settings(collector.url, otel_semconv_stability_opt_in=opt_in), "test"):
            spans.told("call", 1, told, parent=spans.of_job(JOB, None)[0])
    now, latest = (span.attributes for span in collector.spans)
    assert now == told
    assert latest == {"gen_ai.usage.cache_write.input_tokens": 7, "gen_ai.usage.input_tokens": 9}


@pytest.mark.parametrize("there", ["nobody", "refuses", "silent"])
def test_a_collector_that_fails_costs_nothing_but_its_spans(
    collector: Collector, there: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        port = silent.getsockname()[1]
        url = {"nobody": "http://127.0.0.1:9", "refuses": collector.url, "silent": f"http://127.0.0.1:{port}"}[there]
        collector.status = 400
        with tracing(settings(url), "test"):
            for _ in range(5000):  # more than are kept for it
                spans.told("call", 1, {}, parent=spans.of_job(JOB, None)[0])
        spans.told("after the end", 1, {}, parent=TraceContext(1, 2, sampled=True))
    assert not spans.on()
    assert collector.spans == []
    assert not any(url in line.getMessage() for line in caplog.records)


@pytest.mark.parametrize("headers", ["a", "=b", "a=b,c"])
def test_headers_that_make_no_sense_are_told_without_their_values(collector: Collector, headers: str) -> None:
    secret = SecretStr(headers)
    with (
        pytest.raises(InvalidInput, match="OTEL_EXPORTER_OTLP_HEADERS is written name=value") as refused,
        tracing(settings(collector.url, otel_exporter_otlp_headers=secret), "test"),
    ):
        pytest.fail("it has started")
    assert refused.value.__cause__ is None


def test_without_the_packages_it_is_said_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("aico.tracing.switch.import_module", gone)
    with pytest.raises(InvalidInput, match=r"requirements/otel\.txt"), tracing(settings("http://127.0.0.1:9"), "test"):
        pytest.fail("it has started")
