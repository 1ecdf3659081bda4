"""Rate limits that workers share, on a real Redis, up to a provider that counts what reaches it."""

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import redis
from builders import chat
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.testing import capture_logs

from aico.core.attempts import Attempt
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.routing.dispatcher import Dispatcher
from aico.routing.models import Model, RateLimit
from aico.routing.pacing import Budget, Charge, Unit, admit
from aico.routing.prices import PriceBook
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.provider import Provider
from aico.workers.gcra import Verdict
from aico.workers.pacing import LocalPacer, RedisPacer

CATALOGUE = Catalogue.from_settings(Settings.model_construct())
NANO, LARGE, OTHER = (
    next(model for model in CATALOGUE.all_models if model.id == name)
    for name in ("gpt-5.4-nano", "gpt-5.4", "claude-haiku-4-5")
)
RPM = [RateLimit(provider="openai", requests_per_minute=30)]
TPM = [RateLimit(provider="openai", tokens_per_minute=6_000)]
BURST = 5  # requests at rest under RPM
INTERVAL = 2.0  # seconds; waits are compared as whole intervals, because time passes between two questions


def intervals(wait: float | None) -> int:
    assert wait is not None
    return math.ceil(wait / INTERVAL - 1e-3)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with closing(redis.Redis.from_url(redis_url, decode_responses=True)) as opened:
        opened.flushall()
        yield opened


@pytest.fixture
def nowhere() -> Iterator[redis.Redis]:
    with closing(redis.Redis(port=9, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))) as opened:
        yield opened


def use_up(pacer: RedisPacer | LocalPacer, model: Model = NANO) -> None:
    for _ in range(BURST):
        assert pacer.reserve(model, 0, patience=0) == 0


def test_two_pacers_share_a_budget(client: redis.Redis) -> None:
    pacers = [RedisPacer(client, RPM) for _ in range(2)]
    waits = [intervals(pacers[number % 2].reserve(NANO, 0, patience=60)) for number in range(BURST + 5)]
    assert waits == [*[0] * BURST, 1, 2, 3, 4, 5]


def test_no_more_than_the_patience_and_nothing_is_taken(client: redis.Redis) -> None:
    pacer = RedisPacer(client, RPM)
    use_up(pacer)
    assert [pacer.reserve(NANO, 0, patience=0.1) for _ in range(3)] == [None] * 3
    assert intervals(pacer.wait(NANO, 0)) == intervals(pacer.wait(NANO, 0)) == 1


def test_models_without_a_limit_of_theirs_need_no_redis(nowhere: redis.Redis) -> None:
    pacer = RedisPacer(nowhere, [RateLimit(provider="openai", model=LARGE.id, requests_per_minute=1)])
    with capture_logs() as lines:
        assert [pacer.reserve(model, 9, patience=0) for model in (NANO, OTHER) for _ in range(9)] == [0] * 18
    assert lines == []


def test_a_model_s_own_budget_counts_beside_the_key_s(client: redis.Redis) -> None:
    pacer = RedisPacer(client, [*RPM, RateLimit(provider="openai", model=LARGE.id, requests_per_minute=6)])
    assert pacer.reserve(LARGE, 0, patience=0) == 0
    assert pacer.reserve(LARGE, 0, patience=0) is None
    for _ in range(BURST - 1):
        assert pacer.reserve(NANO, 0, patience=0) == 0
    assert pacer.reserve(NANO, 0, patience=0) is None


def test_settling_gives_back_and_takes(client: redis.Redis) -> None:
    pacer = RedisPacer(client, TPM)
    assert pacer.reserve(NANO, 1_000, patience=0) == 0
    assert pacer.reserve(NANO, 200, patience=0) is None
    pacer.settle(NANO, 1_000, 200)
    assert pacer.reserve(NANO, 800, patience=0) == 0
    pacer.settle(NANO, 800, 6_800)
    assert intervals(pacer.wait(NANO, 200)) == 31  # a minute's worth, and its own two seconds


def test_backing_off_closes_the_model_s_budgets_where_it_has_any(client: redis.Redis) -> None:
    pacer = RedisPacer(client, [*RPM, RateLimit(provider="openai", model=LARGE.id, requests_per_minute=30)])
    pacer.back_off(LARGE, 20)
    assert RedisPacer(client, pacer._limits).reserve(LARGE, 0, patience=19) is None
    assert pacer.reserve(NANO, 0, patience=0) == 0
    pacer.back_off(NANO, 20)
    assert pacer.reserve(NANO, 0, patience=19) is None
    pacer.back_off(NANO, 1e9)
    assert pacer.wait(NANO, 0) < 400  # a mad header does not close the provider for good


def test_keys_run_out(client: redis.Redis) -> None:
    pacer = RedisPacer(client, [*RPM, *TPM])
    pacer.reserve(NANO, 90_000, patience=60)
    keys = sorted(client.scan_iter("aico:*"))
    assert keys == ["aico:pace:{openai}:*:requests", "aico:pace:{openai}:*:tokens"]
    assert all(50 < int(client.ttl(key)) < 1_000 for key in keys)


def test_a_flushed_redis_learns_from_those_who_remember(client: redis.Redis) -> None:
    pacers = [RedisPacer(client, RPM) for _ in range(2)]
    waits = []
    for number in range(BURST + 10):
        if number % 7 == 6:
            client.flushall()
        waits.append(intervals(pacers[number % 2].reserve(NANO, 0, patience=60)))
    # Each flush may lose what the other pacer reserved since: one place, as they take turns.
    assert waits[-1] >= 10 - 4


def test_without_redis_each_process_keeps_to_the_budget_and_says_so_once(nowhere: redis.Redis) -> None:
    pacer = RedisPacer(nowhere, RPM)
    with capture_logs() as lines:
        use_up(pacer)
        assert intervals(pacer.reserve(NANO, 0, patience=3)) == 1
        assert pacer.reserve(NANO, 0, patience=0) is None
        pacer.settle(NANO, 5, 6)
        pacer.back_off(NANO, 30)
        assert pacer.wait(NANO, 0) > 29
    assert [(line["event"], line["error"]) for line in lines] == [("pacing_not_shared", "ConnectionError")]


def test_an_outage_begins_with_what_was_last_shared_and_ends(
    client: redis.Redis, nowhere: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    pacer = RedisPacer(client, RPM)
    use_up(pacer)
    shared = pacer._admit
    with capture_logs() as lines:
        monkeypatch.setattr(pacer, "_admit", nowhere.register_script(shared.script))
        assert [intervals(pacer.reserve(NANO, 0, patience=60)) for _ in range(3)] == [1, 2, 3]
        monkeypatch.setattr(pacer, "_admit", shared)
        monkeypatch.setattr(pacer, "_away_until", 0.0)  # the pause after which it asks again is over
        assert pacer.reserve(NANO, 0, patience=60) is not None
    assert [line["event"] for line in lines] == ["pacing_not_shared", "pacing_shared_again"]


BUDGETS = [
    Budget("openai", name, unit, rate)
    for name, unit, rate in (
        (None, Unit.REQUESTS, 7),
        (None, Unit.TOKENS, 90_000),
        ("m", Unit.REQUESTS, 600),
        ("m", Unit.TOKENS, 1),
    )
]
charge = st.tuples(
    st.one_of(st.just(0.0), st.floats(0.001, 40), st.floats(-40, -0.001)),
    st.one_of(st.just(0.0), st.floats(0.001, 400)),
)
step = st.tuples(
    st.lists(st.sampled_from(range(4)), min_size=1, unique=True),
    st.lists(charge, min_size=4, max_size=4),
    st.one_of(st.just(-1.0), st.just(math.inf), st.floats(0, 60)),
)


@trials(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(step, max_size=15))
def test_the_script_is_the_formula(
    client: redis.Redis, steps: list[tuple[list[int], list[tuple[float, float]], float]]
) -> None:
    client.flushall()
    pacer, arrivals = RedisPacer(client, []), dict.fromkeys(BUDGETS, 0.0)
    ask = pacer._admit
    answers: list[list[str]] = []

    def overheard(keys: list[str], arguments: list[str]) -> Any:
        answers.append(ask(keys, arguments))
        return answers[-1]

    pacer._admit = overheard  # type: ignore[assignment]
    for chosen, amounts, patience in steps:
        charges = [Charge(BUDGETS[number], *amounts[number]) for number in chosen]
        answer = pacer.take(charges, patience)
        now = Verdict.read(answers[-1]).now
        expected = admit(charges, [arrivals[charge.budget] for charge in charges], now, patience)
        if abs(expected.wait - patience) < 1e-4:
            return  # Redis keeps microseconds: either answer is right
        assert answer.wait == pytest.approx(expected.wait, abs=1e-4)
        assert (answer.arrivals is None) == (expected.arrivals is None)
        if answer.arrivals is not None and expected.arrivals is not None:
            assert answer.arrivals == pytest.approx(expected.arrivals, abs=1e-4)
            arrivals.update(zip((charge.budget for charge in charges), answer.arrivals, strict=True))


@dataclass
class CountingProvider:
    """Answers everything, and keeps when each call came in."""

    url: str = ""
    came: list[float] = field(default_factory=list)

    def busiest(self, rate: float) -> float:
        """The most by which the calls of any window exceed what `rate` a second grants in it."""
        came = sorted(self.came)
        return max(
            (last - first + 1) - rate * (came[last] - came[first])
            for first in range(len(came))
            for last in range(first, len(came))
        )


@contextmanager
def counting() -> Iterator[CountingProvider]:
    state = CountingProvider()
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    answer = {"model": "m", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": usage}
    body = json.dumps(answer).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or an answer's body waits 40 ms for the receipt of its head

        def do_POST(self) -> None:
            state.came.append(time.monotonic())
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{httpd.server_port}/v1"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def worker(client: redis.Redis, url: str, calls: int) -> Callable[[], None]:
    """A worker's dispatcher with its own pacer, which makes so many calls one after another."""
    attempts: list[Attempt] = []

    def work() -> None:
        limits = [RateLimit(provider="openai", requests_per_minute=240)]
        profile = replace(PROFILE_BY_NAME["openai"], base_url=url)
        with closing(Provider(profile, None, max_connections=1)) as provider:
            dispatcher = Dispatcher({"openai": provider}, PriceBook(CATALOGUE), pacer=RedisPacer(client, limits))
            for _ in range(calls):
                dispatcher.dispatch(
                    chat("Hello"),
                    [NANO],
                    deadline=time.monotonic() + 60,
                    record=attempts.append,
                    should_stop=lambda: False,
                )

    return work


def test_a_storm_reaches_the_provider_within_its_budget(client: redis.Redis) -> None:
    with counting() as provider:
        threads = [threading.Thread(target=worker(client, provider.url, 24)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(provider.came) == 48
    assert provider.busiest(240 / 60) <= 40 + len(threads)  # each of which may deliver one call late
