"""Where a job stands in a trace: what callers send is honoured, and what is none of it is let be."""

from uuid import UUID

import pytest

from aico.tracing.context import TraceContext, ids_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(("flags", "sampled"), [("01", True), ("00", False), ("03", True)])
def test_a_traceparent_is_read_and_written(flags: str, sampled: bool) -> None:
    context = TraceContext.parse(f"00-{TRACE}-{SPAN}-{flags}")
    assert context == TraceContext(int(TRACE, 16), int(SPAN, 16), sampled)
    assert context.traceparent == f"00-{TRACE}-{SPAN}-0{int(sampled)}"


def test_a_later_version_may_say_more() -> None:
    assert TraceContext.parse(f"cc-{TRACE}-{SPAN}-01-what-comes") == TraceContext.parse(f"00-{TRACE}-{SPAN}-01")


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-1é",
    ],
    ids=["empty", "no flags", "too much", "no version", "no trace", "no span", "capitals", "a line", "letters"],
)
def test_what_is_no_traceparent_is_not_taken_for_one(header: str) -> None:
    assert TraceContext.parse(header) is None


def test_ids_of_jobs_are_spread_evenly_over_what_samplers_look_at() -> None:
    traces = [ids_of(UUID(int=(n << 64) | (0b10 << 62)))[0] & ((1 << 64) - 1) for n in range(400)]
    assert 150 < sum(trace < 1 << 63 for trace in traces) < 250
    assert len(set(traces)) == 400
