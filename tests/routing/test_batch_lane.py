"""The sender against servers that behave as the providers' do, and as they should not."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import httpx2
import pytest
from builders import chat
from pydantic import SecretStr
from routing.batch_apis import KEY, AnthropicServer, GeminiServer, OpenAIServer
from routing.batch_servers import BatchServer, Fault, Reply, serving

from aico.core.chat import Completion
from aico.core.settings import Settings
from aico.routing.models import Model
from aico.routing.providers.batches.exchange import Exchange
from aico.routing.providers.batches.lane import BatchLane, open_lanes
from aico.routing.providers.batches.wire import LaneLine, LaneResult, LaneStatus, LineFailure
from aico.routing.providers.failures import FailureKind, ProviderError
from aico.routing.providers.openai_chat import OpenAIChat
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.wire import HttpRequest

SERVERS: dict[str, Callable[[], BatchServer]] = {
    "openai": OpenAIServer,
    "anthropic": AnthropicServer,
    "google": GeminiServer,
}
LINES = [LaneLine(name, chat(f"question {name}")) for name in ("a", "b", "c")]
HOUR = 3600.0


@pytest.fixture
def model(make_model: Callable[..., Model]) -> Model:
    return make_model("m")


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[BatchServer]:
    with serving(SERVERS[request.param]()) as running:
        yield running


@pytest.fixture
def lane(server: BatchServer) -> Iterator[BatchLane]:
    with closing(lane_to(server)) as opened:
        yield opened


def lane_to(server: BatchServer, *, seconds: float = 5, key: str = KEY) -> BatchLane:
    name = next(name for name, kind in SERVERS.items() if isinstance(server, kind))  # type: ignore[arg-type]
    profile = replace(PROFILE_BY_NAME[name], base_url=server.url)
    return BatchLane(profile, SecretStr(key), call_seconds=seconds, transfer_seconds=seconds)


def only(kind: Callable[[], BatchServer]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("server", [next(name for name, k in SERVERS.items() if k is kind)], indirect=True)


def outcomes(lane: BatchLane, remote: str) -> dict[str, Completion | LineFailure]:
    return {result.custom_id: result.outcome for result in lane.results(lane.poll(remote))}


def refused(call: Callable[[], object]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        call()
    assert KEY not in caught.value.message
    return caught.value


def test_from_creation_to_results(server: BatchServer, lane: BatchLane, model: Model) -> None:
    server.ready_after = HOUR
    remote = lane.create("our-key", model, LINES)
    running = lane.poll(remote)
    assert (running.status, running.remote_id, running.final) == (LaneStatus.RUNNING, remote, False)
    assert list(lane.results(running)) == []
    server.ready_after = 0
    ended = lane.poll(remote)
    assert (ended.status, ended.final) == (LaneStatus.ENDED, True)
    assert ended.counts is not None
    assert (ended.counts.total, ended.counts.succeeded, ended.counts.failed) == (3, 3, 0)
    answers = outcomes(lane, remote)
    assert sorted(answers) == ["a", "b", "c"]
    for name, answer in answers.items():
        assert isinstance(answer, Completion)
        assert (answer.text, answer.model) == (f"echo: question {name}", "m-2026")
        assert (answer.usage.batch, answer.usage.tier, answer.usage.total) == (True, "standard", 10)
    assert server.calls["create"] == 1


def test_lines_that_fail_say_why_and_whether_a_direct_call_may_help(
    server: BatchServer, lane: BatchLane, model: Model
) -> None:
    server.line_faults = {"a": "refused", "b": "overloaded", "d": "expired", "e": "missing", "f": "garbled"}
    lines = [LaneLine(name, chat(name)) for name in "abcdef"]
    found = outcomes(lane, lane.create("our-key", model, lines))
    assert isinstance(found.pop("c"), Completion)
    failures = {name: failure for name, failure in found.items() if isinstance(failure, LineFailure)}
    assert {name: failure.kind for name, failure in failures.items()} == {
        "a": FailureKind.FATAL,
        "b": FailureKind.RETRYABLE,
        "d": FailureKind.RETRYABLE,
        "f": FailureKind.RETRYABLE,
    }
    assert "[redacted] is refused" in failures["a"].message
    assert not any(KEY in failure.message for failure in failures.values())


@pytest.mark.parametrize("server", ["openai", "google"], indirect=True)
def test_an_orphan_is_found_by_its_key_on_any_page(server: BatchServer, lane: BatchLane, model: Model) -> None:
    server.page = 2
    remotes = {key: lane.create(key, model, LINES[:1]) for key in ("one", "two", "three", "four", "five")}
    assert lane.finds_by_key
    assert {key: lane.find(key) for key in remotes} == remotes
    assert lane.find("six") is None
    assert server.calls["find"] == 1 + 1 + 2 + 2 + 3 + 3


@only(AnthropicServer)
def test_an_orphan_that_cannot_be_found_is_not_looked_for(server: BatchServer, lane: BatchLane, model: Model) -> None:
    lane.create("our-key", model, LINES)
    asked = len(server.received)
    assert (lane.finds_by_key, lane.find("our-key")) == (False, None)
    assert len(server.received) == asked


def test_cancelled_before_it_ended(server: BatchServer, lane: BatchLane, model: Model) -> None:
    server.ready_after = HOUR
    remote = lane.create("our-key", model, LINES)
    lane.cancel(remote)
    assert lane.poll(remote).status is LaneStatus.CANCELLED
    assert not any(isinstance(outcome, Completion) for outcome in outcomes(lane, remote).values())


@pytest.mark.parametrize("server", ["openai", "google"], indirect=True)
def test_expired_batch_keeps_what_was_done_in_time(server: BatchServer, lane: BatchLane, model: Model) -> None:
    server.ends_as, server.line_faults = "expired", {"b": "expired", "c": "expired"}
    remote = lane.create("our-key", model, LINES)
    assert lane.poll(remote).status is LaneStatus.EXPIRED
    kinds = {name: type(outcome) for name, outcome in outcomes(lane, remote).items()}
    assert kinds == {"a": Completion, "b": LineFailure, "c": LineFailure}


@pytest.mark.parametrize("server", ["openai", "google"], indirect=True)
def test_batch_that_is_refused_as_a_whole(server: BatchServer, lane: BatchLane, model: Model) -> None:
    server.ends_as = "failed"
    state = lane.poll(lane.create("our-key", model, LINES))
    assert (state.status, state.sources) == (LaneStatus.FAILED, ())
    assert state.message in {"token_limit_exceeded: Enqueued token limit reached", "too much"}
    assert list(lane.results(state)) == []


def test_wrong_key(server: BatchServer, model: Model) -> None:
    with closing(lane_to(server, key="wrong-credential-99")) as lane:
        error = refused(lambda: lane.create("our-key", model, LINES))
    assert (error.kind, error.http_status) == (FailureKind.FATAL, 401)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, FailureKind.FATAL), (429, FailureKind.RETRYABLE), (500, FailureKind.RETRYABLE)]
)
def test_refusals(server: BatchServer, lane: BatchLane, model: Model, status: int, kind: FailureKind) -> None:
    page = b'{"error":{"message":"' + KEY.encode() + b' waits"}}'
    server.faults = [Fault("POST", Reply(status, page, {"Retry-After": "7"}))]
    error = refused(lambda: lane.create("our-key", model, LINES))
    assert (error.kind, error.http_status, error.retry_after) == (kind, status, 7.0)
    assert error.message == f"HTTP {status}: [redacted] waits"
    assert server.batches == {}


def test_silence_ends(server: BatchServer, model: Model) -> None:
    server.faults = [Fault("GET"), Fault("POST")]
    with closing(lane_to(server, seconds=0.3)) as lane:
        for call in (lambda: lane.poll("batches/x"), lambda: lane.create("our-key", model, LINES)):
            error = refused(call)
            assert (error.kind, error.http_status) == (FailureKind.RETRYABLE, None)
            assert error.message.endswith("failed: ReadTimeout")


def test_silence_in_the_middle_ends(server: BatchServer, model: Model) -> None:
    with closing(lane_to(server, seconds=0.3)) as lane:
        state = lane.poll(lane.create("our-key", model, LINES))
        half = Reply(200, b'{"id":', {"Content-Length": "100"}, stalls=True)
        server.faults = [Fault("GET", half), Fault(results_path(server), half)]
        for call in (lambda: lane.poll(state.remote_id), lambda: list(lane.results(state))):
            error = refused(call)
            assert (error.kind, error.http_status) == (FailureKind.RETRYABLE, 200)


def test_only_the_providers_time_counts() -> None:
    """A reader may take its time between two pieces; a provider that drips may not."""
    seconds = 0.0

    def drip() -> Iterator[bytes]:
        nonlocal seconds
        for _ in range(3):
            seconds += 4
            yield b"x"

    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=drip()))
    exchange = Exchange(
        "openai", None, OpenAIChat().parse_error, max_connections=1, transport=transport, clock=lambda: seconds
    )
    call = HttpRequest("GET", "http://127.0.0.1/", {}, b"")
    with exchange.opened(call, seconds=12, max_bytes=10) as chunks:
        for _ in chunks:
            seconds += 100
    assert "took longer" in refused(lambda: exchange.fetch(call, seconds=11, max_bytes=10)).message
    exchange.close()


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"id":"../x","name":"x","status":"completed"}'])
def test_answers_that_make_no_sense(server: BatchServer, lane: BatchLane, body: bytes) -> None:
    server.faults = [Fault("GET", Reply(200, body))]
    assert refused(lambda: lane.poll("batches/x")).kind is FailureKind.RETRYABLE


def results_path(server: BatchServer) -> str:
    return {OpenAIServer: "content", AnthropicServer: "results", GeminiServer: "batches/"}[type(server)]


def test_redirects_are_not_followed(server: BatchServer, lane: BatchLane, model: Model) -> None:
    with serving(type(server)()) as other:
        server.faults = [Fault("POST", Reply(307, b"", {"Location": f"{other.url}/files"}))]
        assert refused(lambda: lane.create("our-key", model, LINES)).http_status == 307
        state = lane.poll(lane.create("our-key", model, LINES))
        server.faults = [Fault(results_path(server), Reply(302, b"", {"Location": f"{other.url}/x"}))]
        error = refused(lambda: list(lane.results(state)))
        assert (error.kind, error.http_status) == (FailureKind.FATAL, 302)
        assert other.received == []


@only(AnthropicServer)
def test_results_on_another_server_never_see_the_key(server: AnthropicServer, lane: BatchLane, model: Model) -> None:
    with serving(AnthropicServer()) as other:
        server.results_url = f"{other.url}/messages/batches/x/results"
        state = lane.poll(lane.create("our-key", model, LINES))
        assert refused(lambda: list(lane.results(state))).kind is FailureKind.FATAL
        assert other.received == []


@pytest.mark.parametrize("server", ["openai", "anthropic"], indirect=True)
@pytest.mark.parametrize(
    ("rest", "promised"), [(b"", 1), (b'{"custom_id":"b","resu', 1), (b'{"custom_id":"b","resu', 0)]
)
def test_results_that_break_off_keep_what_came(
    server: BatchServer, lane: BatchLane, model: Model, rest: bytes, promised: int
) -> None:
    state = lane.poll(lane.create("our-key", model, LINES))
    cut = results_of_first_batch(server).split(b"\n")[0] + b"\n" + rest
    server.faults = [Fault(results_path(server), Reply(200, cut, {"Content-Length": str(len(cut) + promised)}))]
    found: list[LaneResult] = []
    assert refused(lambda: found.extend(lane.results(state))).kind is FailureKind.RETRYABLE
    assert [result.custom_id for result in found] == ["a"]


def results_of_first_batch(server: BatchServer) -> bytes:
    """What the server itself would send."""
    headers = {"Authorization": f"Bearer {KEY}", "x-api-key": KEY, "anthropic-version": "x"}
    name = next(iter(server.batches))
    path = {OpenAIServer: f"files/{name}.out/content", AnthropicServer: f"messages/batches/{name}/results"}
    return httpx2.get(f"{server.url}/{path[type(server)]}", headers=headers).content


def test_oversized_answers(server: BatchServer, lane: BatchLane, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    state = lane.poll(lane.create("our-key", model, LINES))
    monkeypatch.setattr(type(lane._wire), "limits", replace(lane.limits, status_bytes=10, results_bytes=20))
    error = refused(lambda: lane.poll(state.remote_id))
    assert (error.kind, error.message) == (FailureKind.FATAL, "the answer exceeds 10 bytes")
    error = refused(lambda: list(lane.results(state)))
    assert (error.kind, error.message) == (FailureKind.FATAL, "the answer exceeds 20 bytes")


def test_a_reader_that_stops_early_frees_the_connection(server: BatchServer, lane: BatchLane, model: Model) -> None:
    remote = lane.create("our-key", model, LINES)
    for _ in range(20):  # more than there are connections
        stream = lane.results(lane.poll(remote))
        assert next(stream).custom_id == "a"
        stream.close()  # type: ignore[attr-defined]
    assert len(outcomes(lane, remote)) == 3


@pytest.mark.parametrize("url", ["nowhere", "http://nowhere:port"])
def test_unusable_address(model: Model, url: str) -> None:
    with closing(BatchLane(replace(PROFILE_BY_NAME["openai"], base_url=url), None)) as lane:
        assert refused(lambda: lane.create("our-key", model, LINES)).kind is FailureKind.FATAL


def test_lanes_of_configured_providers(settings: Settings) -> None:
    lanes = open_lanes(settings)
    own = open_lanes(settings.model_copy(update={"openai_compatible_batches": True, "google_api_key": None}))
    for lane in (*lanes.values(), *own.values()):
        lane.close()
    assert sorted(lanes) == ["anthropic", "google", "openai"]
    assert sorted(own) == ["anthropic", "openai", "openai_compatible"]
    assert own["openai_compatible"].profile.base_url == "http://127.0.0.1:9/v1"
