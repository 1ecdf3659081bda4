"""Circuit breakers that workers share, on a real Redis."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pytest
import redis
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.testing import capture_logs

from aico.routing.breaker import RULES, Kind, Mark, Marks, Scope, State, admit, scopes_of, settle
from aico.routing.health import GOOD
from aico.workers.breaker_scripts import key_of
from aico.workers.breakers import RedisBreaker
from aico.workers.provider_health import Health, standing_of

SCOPES = scopes_of("openai", "gpt-5.4", None)
PROVIDER, KEY, MODEL = SCOPES
NEIGHBOUR = scopes_of("openai", "gpt-5.4-nano", None)
LEASE = 65.0
RUN = RULES[Kind.MODEL].run


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with closing(redis.Redis.from_url(redis_url, decode_responses=True)) as opened:
        opened.flushall()
        yield opened


@pytest.fixture
def nowhere() -> Iterator[redis.Redis]:
    with closing(redis.Redis(port=9, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))) as opened:
        yield opened


def marks(**said: Mark) -> Marks:
    return {kind: said.get(kind.value, Mark.NOTHING) for kind in Kind}


SICK = marks(provider=Mark.GOOD, model=Mark.BAD)


def fail(breaker: RedisBreaker, times: int = RUN) -> None:
    for _ in range(times):
        breaker.leave(breaker.enter(SCOPES, LEASE), SICK, "HTTP 503")


def pass_the_cooldown(client: redis.Redis, scope: Scope = MODEL) -> None:
    """As if time had gone by."""
    assert float(client.hget(key_of(scope), "until") or 0) > 0
    client.hset(key_of(scope), "until", "1")


def test_what_one_worker_opens_is_open_to_the_other(client: redis.Redis) -> None:
    first, second = RedisBreaker(client), RedisBreaker(client)
    fail(first, RUN - 1)
    assert second.enter(SCOPES, LEASE).wait == 0
    fail(second, 1)  # its failures and the other's are one run
    for breaker in (first, second):
        entry = breaker.enter(SCOPES, LEASE)
        assert (entry.blocked, entry.said) == (MODEL, "HTTP 503")
        assert 0 < entry.wait <= RULES[Kind.MODEL].base
        assert breaker.enter(NEIGHBOUR, LEASE).wait == 0


def test_what_another_process_opens_is_open_here(client: redis.Redis, redis_url: str) -> None:
    program = (
        "import redis, sys\n"
        "from aico.routing.breaker import Kind, Mark, scopes_of\n"
        "from aico.workers.breakers import RedisBreaker\n"
        "breaker = RedisBreaker(redis.Redis.from_url(sys.argv[1], decode_responses=True))\n"
        "for _ in range(5):\n"
        "    entry = breaker.enter(scopes_of('openai', 'gpt-5.4', None), 65.0)\n"
        "    breaker.leave(entry, dict.fromkeys(Kind, Mark.NOTHING) | {Kind.MODEL: Mark.BAD}, 'timeout')\n"
    )
    subprocess.run([sys.executable, "-c", program, redis_url], check=True, timeout=60)
    entry = RedisBreaker(client).enter(SCOPES, LEASE)
    assert (entry.blocked, entry.said) == (MODEL, "timeout")


def test_of_all_workers_together_exactly_one_call_finds_out(client: redis.Redis) -> None:
    workers = [RedisBreaker(client) for _ in range(4)]
    fail(workers[0])
    pass_the_cooldown(client)
    with ThreadPoolExecutor(16) as pool:
        entries = list(pool.map(lambda number: workers[number % 4].enter(SCOPES, LEASE), range(64)))
    (probe,) = [entry for entry in entries if entry.wait == 0]
    assert probe.probes == {MODEL}
    workers[1].leave(probe, GOOD)
    assert [worker.enter(SCOPES, LEASE) for worker in workers] == [workers[0].enter(SCOPES, LEASE)] * 4
    assert workers[0].enter(SCOPES, LEASE).probes == frozenset()


def test_a_failed_probe_opens_for_everybody_and_for_longer(client: redis.Redis) -> None:
    first, second = RedisBreaker(client, lambda: 1.0), RedisBreaker(client, lambda: 1.0)
    fail(first)
    pass_the_cooldown(client)
    second.leave(second.enter(SCOPES, LEASE), SICK, "timeout")
    entry = first.enter(SCOPES, LEASE)
    assert entry.said == "timeout"
    assert RULES[Kind.MODEL].base < entry.wait <= 2 * RULES[Kind.MODEL].base


def test_a_probe_that_learned_nothing_leaves_it_to_the_next(client: redis.Redis) -> None:
    breaker = RedisBreaker(client)
    fail(breaker)
    pass_the_cooldown(client)
    probe = breaker.enter(SCOPES, LEASE)
    assert breaker.enter(SCOPES, LEASE).wait > 0
    breaker.leave(probe, marks())
    assert breaker.enter(SCOPES, LEASE).probes == {MODEL}


def test_a_probe_whose_worker_died_is_not_waited_for_for_ever(client: redis.Redis) -> None:
    breaker = RedisBreaker(client)
    fail(breaker)
    pass_the_cooldown(client)
    assert breaker.enter(SCOPES, LEASE).probes == {MODEL}
    client.hset(key_of(MODEL), "probe", "1")  # its lease is over
    assert breaker.enter(SCOPES, LEASE).probes == {MODEL}


def test_an_opening_is_logged_once_and_names_no_secret(client: redis.Redis) -> None:
    with capture_logs() as lines:
        fail(RedisBreaker(client), RUN + 3)
    (line,) = lines
    assert (line["event"], line["kind"], line["provider"], line["model"], line["error"]) == (
        "breaker_opened",
        "model",
        "openai",
        "gpt-5.4",
        "HTTP 503",
    )


def test_states_run_out(client: redis.Redis) -> None:
    fail(RedisBreaker(client))
    keys = sorted(client.scan_iter("aico:*"))
    assert keys == ["aico:health:{openai}:model:gpt-5.4", "aico:health:{openai}:provider"]
    assert all(3600 < int(client.ttl(key)) <= 86_400 for key in keys)


def test_without_redis_each_process_has_breakers_of_its_own_and_says_so_once(nowhere: redis.Redis) -> None:
    breaker = RedisBreaker(nowhere)
    with capture_logs() as lines:
        fail(breaker)
        assert breaker.enter(SCOPES, LEASE).blocked == MODEL
        assert breaker.enter(NEIGHBOUR, LEASE).wait == 0
    assert [(line["event"], line["error"]) for line in lines] == [("breakers_not_shared", "ConnectionError")]


def test_an_outage_begins_with_what_was_seen_here_and_ends(
    client: redis.Redis, nowhere: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaker = RedisBreaker(client)
    fail(breaker)
    shared = breaker._enter
    with capture_logs() as lines:
        monkeypatch.setattr(breaker, "_enter", nowhere.register_script(shared.script))
        assert breaker.enter(SCOPES, LEASE).blocked == MODEL
        monkeypatch.setattr(breaker, "_enter", shared)
        monkeypatch.setattr(breaker, "_away_until", 0.0)  # the pause after which it asks again is over
        assert breaker.enter(SCOPES, LEASE).blocked == MODEL
    assert [line["event"] for line in lines] == ["breakers_not_shared", "breakers_shared_again"]


def test_how_a_scope_is(client: redis.Redis) -> None:
    breaker = RedisBreaker(client)

    def standing(scope: Scope) -> Health:
        fields = _kept(client, scope)
        return standing_of([fields.get(name) for name in ("until", "run", "good_at", "bad_at", "said")], 2e9).health

    assert standing(MODEL) is Health.UNTRIED
    breaker.leave(breaker.enter(SCOPES, LEASE), GOOD)
    assert standing(MODEL) is Health.HEALTHY
    fail(breaker, 1)
    assert (standing(MODEL), standing(PROVIDER)) == (Health.DEGRADED, Health.HEALTHY)
    fail(breaker, RUN - 1)
    assert standing(MODEL) is Health.OPEN
    pass_the_cooldown(client)
    breaker.leave(breaker.enter(SCOPES, LEASE), GOOD)
    assert standing(MODEL) is Health.HEALTHY


_KINDS = st.fixed_dictionaries({kind: st.sampled_from(list(Mark)) for kind in Kind})
_STEPS = st.lists(st.tuples(st.booleans(), _KINDS, st.floats(0.0, 1.0), st.booleans()), max_size=40)


@trials(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS)
def test_the_scripts_are_the_arithmetic(
    client: redis.Redis, steps: list[tuple[bool, dict[Kind, Mark], float, bool]]
) -> None:
    """Time stands still but for cooldowns, which pass where a step says so."""
    client.flushall()
    states = dict.fromkeys(SCOPES, State())
    for skips, found, uniform, leaves in steps:
        breaker = RedisBreaker(client, partial(float, uniform))
        if skips:
            for scope, state in states.items():
                if state.until > 0:
                    client.hset(key_of(scope), "until", "1")
                    states[scope] = State(trips=state.trips, until=1.0, probe=state.probe)
        now = _now(client)
        expected, after = admit(SCOPES, list(states.values()), now, LEASE)
        entry = breaker.enter(SCOPES, LEASE)
        assert (entry.blocked, entry.probes) == (expected.blocked, expected.probes)
        assert entry.wait == pytest.approx(expected.wait, abs=0.5)
        states = dict(zip(SCOPES, after, strict=True))
        if entry.wait == 0 and leaves:
            breaker.leave(entry, found, "HTTP 503")
            states = {
                scope: settle(
                    state, found[scope.kind], RULES[scope.kind], now, probing=scope in entry.probes, uniform=uniform
                )
                for scope, state in states.items()
            }
        for scope, state in states.items():
            _assert_kept(_kept(client, scope), state)


def _now(client: redis.Redis) -> float:
    seconds, micros = client.time()
    return float(seconds + micros / 1e6)


def _kept(client: redis.Redis, scope: Scope) -> dict[str, str]:
    return {str(name): str(value) for name, value in client.hgetall(key_of(scope)).items()}


def _assert_kept(found: dict[str, str], state: State) -> None:
    assert int(found.get("run", 0)) == state.run
    assert int(found.get("trips", 0)) == state.trips
    for name in ("good", "bad", "until", "probe"):
        assert float(found.get(name, 0)) == pytest.approx(getattr(state, name), abs=0.5), name
