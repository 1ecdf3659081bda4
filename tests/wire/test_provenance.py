"""How sure a hit by meaning was is said in every format that says how an answer came about."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console
from wire.responding import answered, queued

from aico.api.schemas import JobView
from aico.cli.job_view import details
from aico.core.jobs import CacheState, Job
from aico.mcp_server.views import Answered
from aico.wire.batch_endpoints import ENDPOINTS
from aico.wire.chat_answer import headers_of
from aico.wire.response_answer import response

Json = dict[str, Any]

TRUST = {"cache_score": 0.98765, "error_bound": 0.0081, "error_target": 0.02, "judged": 400}
HEADERS = {
    "x-aico-cache-score": "0.9877",
    "x-aico-cache-error-bound": "0.0081",
    "x-aico-cache-error-target": "0.0200",
    "x-aico-cache-judged": "400",
}


def shown(job: Job) -> Json:
    return JobView.of(job).model_dump(mode="json", by_alias=True, exclude_none=True)


FORMATS: dict[str, Callable[[Job], Json]] = {
    "a job": lambda job: shown(job)["routing"],
    "a response": lambda job: response(job)["aico"],
    "an assistant's tool": lambda job: Answered.of(shown(job)).model_dump(exclude_none=True),
    **{
        f"a line of {path}": lambda job, endpoint=endpoint: endpoint.render(job)["aico"]  # type: ignore[misc]
        for path, endpoint in ENDPOINTS.items()
    },
}


def ended(**routing: Any) -> Job:
    job = answered(queued())
    assert job.routing is not None
    return job.model_copy(update={"routing": job.routing.model_copy(update=routing)})


@pytest.mark.parametrize("name", FORMATS)
def test_a_hit_by_meaning_says_how_sure_it_was(name: str) -> None:
    said = FORMATS[name](ended(cache=CacheState.SEMANTIC, **TRUST))
    assert {field: said[field] for field in TRUST} == TRUST


@pytest.mark.parametrize("name", FORMATS)
def test_any_other_answer_says_nothing_of_it(name: str) -> None:
    assert TRUST.keys().isdisjoint(FORMATS[name](ended()))


def test_headers_say_it_where_it_is_known() -> None:
    job = ended(cache=CacheState.SEMANTIC, **TRUST)
    assert HEADERS.items() <= headers_of(job.id, job.routing).items()
    young = ended(cache=CacheState.SEMANTIC, **{**TRUST, "error_bound": None, "judged": 0})
    said = headers_of(young.id, young.routing)
    assert "x-aico-cache-error-bound" not in said
    assert said["x-aico-cache-judged"] == "0"
    missed = ended()
    assert HEADERS.keys().isdisjoint(headers_of(missed.id, missed.routing))


@pytest.mark.parametrize(
    ("bound", "told"),
    [(0.0081, "score 0.9877, error at most 0.81% by 400 judged, allowed 2.00%"), (None, "error not known yet,")],
)
def test_the_command_line_says_it(bound: float | None, told: str) -> None:
    job = shown(ended(cache=CacheState.SEMANTIC, **{**TRUST, "error_bound": bound}))
    screen = Console(file=io.StringIO(), width=200)
    screen.print(details(job, datetime.now(UTC)))
    assert isinstance(screen.file, io.StringIO)
    assert told in screen.file.getvalue()
