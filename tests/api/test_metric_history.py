"""What a dashboard is told by `GET /v1/metrics/…`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import psycopg
import pytest
from api.conftest import Connect, assert_problem
from conftest import Tenant, new_tenant
from metering import Board, call, failed, now

from aico.core.access import Permission
from aico.core.attempts import AttemptKind
from aico.store.blocking import Database

PATHS = ["/v1/metrics/overview", "/v1/metrics/series", "/v1/metrics/breakdown?by=model"]


@pytest.fixture
def board(database: Database, tenant: Tenant, admin: psycopg.Connection[Any]) -> Board:
    return Board.fresh(database, tenant, admin)


def get(api: httpx2.Client, what: str, **params: Any) -> dict[str, Any]:
    body: dict[str, Any] = api.get(f"/v1/metrics/{what}", params=params).raise_for_status().json()
    return body


def book_a_day(board: Board) -> None:
    board.book(
        *(board.ended(call("1"), took_ms=200, tags=("a",)) for _ in range(3)),
        board.ended(call("0", kind=AttemptKind.EXACT_HIT), strategy="cache"),
        board.ended(failed(model="big"), status="failed", tags=("b",)),
    )


def test_an_overview_adds_a_period_up(api: httpx2.Client, board: Board) -> None:
    book_a_day(board)
    shown = get(api, "overview")
    assert (shown["requests"], shown["answered"], shown["failed"], shown["attempts"]) == (5, 4, 1, 5)
    assert shown["hits"] == {"exact": 1, "semantic": 0, "shared": 0}
    assert shown["hit_rates"] == {"exact": 0.25, "semantic": 0.0, "shared": 0.0}
    assert [Decimal(shown[f"{name}_cents"]) for name in ("cost", "baseline_cost", "saved")] == [3, 16, 13]
    assert shown["latency_ms_p95"] == pytest.approx(200, rel=0.06)
    since, until = datetime.fromisoformat(shown["since"]), datetime.fromisoformat(shown["until"])
    assert until - since == timedelta(days=30)
    assert (until.hour, until.minute) == (0, 0)


def test_of_a_tenant_that_has_asked_nothing_all_is_nothing(api: httpx2.Client) -> None:
    shown = get(api, "overview")
    assert (shown["requests"], shown["seq"], float(shown["saved_cents"])) == (0, 0, 0)
    assert shown["hit_rates"] == {"exact": None, "semantic": None, "shared": None}
    assert shown["latency_ms_p50"] is None
    assert get(api, "series")["series"] == get(api, "breakdown", by="tag")["rows"] == []


@pytest.mark.parametrize("grain", ["second", "minute", "day"])
def test_a_series_has_the_buckets_in_which_something_ended(api: httpx2.Client, board: Board, grain: str) -> None:
    board.booked(call(at=now() - timedelta(seconds=90)))
    board.booked(call(at=now()))
    shown = get(api, "series", grain=grain)
    (line,) = shown["series"]
    assert line["name"] is None
    assert sum(point["requests"] for point in line["points"]) == 2
    at = [datetime.fromisoformat(point["at"]) for point in line["points"]]
    assert at == sorted(set(at))
    assert all(datetime.fromisoformat(shown["since"]) <= one < datetime.fromisoformat(shown["until"]) for one in at)


def test_a_client_that_missed_a_tick_reads_the_seconds_since_and_the_number_of_the_latest_tick(
    api: httpx2.Client, board: Board
) -> None:
    old, new = now() - timedelta(seconds=120), now() - timedelta(seconds=20)
    for at in (old, new):
        board.booked(call(at=at, latency_ms=0))
        board.tell()
    shown = get(api, "series", grain="second", since=new.isoformat())
    assert shown["seq"] == 2
    assert [point["at"] for point in shown["series"][0]["points"]] == [f"{new:%Y-%m-%dT%H:%M:%SZ}"]


def test_a_breakdown_names_the_dearest_first(api: httpx2.Client, board: Board) -> None:
    book_a_day(board)
    named = {
        by: [(row["name"], row["requests"]) for row in get(api, "breakdown", by=by)["rows"]]
        for by in ("lever", "provider", "model", "route", "tag")
    }
    assert named == {
        "lever": [("routing", 4), ("exact", 1)],
        "provider": [("local", 5)],
        "model": [("local/small", 4), ("local/big", 1)],
        "route": [("complexity", 4), ("cache", 1)],
        "tag": [("a", 3), ("b", 1)],
    }


def test_names_beyond_those_that_are_shown_go_together(api: httpx2.Client, board: Board) -> None:
    board.book(*(board.ended(call("2" if n == 5 else "1"), tags=[f"t{n:02}"]) for n in range(12)))
    (dearest, *rest, others) = get(api, "series", by="tag", grain="day")["series"]
    assert (dearest["name"], len(rest), others["name"]) == ("t05", 7, "(other)")
    assert others["points"][0]["requests"] == 4


@pytest.mark.parametrize("by", [{}, {"by": "model"}], ids=["all together", "by model"])
def test_a_line_goes_from_its_oldest_bucket_to_its_newest_whatever_they_cost(
    api: httpx2.Client, board: Board, by: dict[str, str]
) -> None:
    for days, cents in enumerate(("3", "1", "2")):
        board.booked(
            call(cents, at=now() - timedelta(days=days)), call("0.5", model="cheap", at=now() - timedelta(days=days))
        )
    board.booked(call("4", model="cheap", at=now() - timedelta(days=3)))
    lines = {line["name"]: [point["at"] for point in line["points"]] for line in get(api, "series", **by)["series"]}
    assert all(at == sorted(at) for at in lines.values())
    assert list(lines) == (["local/small", "local/cheap"] if by else [None]), "the dearest of the whole period first"


def test_seconds_and_days_say_the_same(api: httpx2.Client, board: Board) -> None:
    book_a_day(board)
    both = [
        get(api, "overview", grain=grain, since=(now() - timedelta(minutes=1)).isoformat())
        for grain in ("second", "day")
    ]
    for shown in both:
        del shown["grain"], shown["since"], shown["until"]
    assert both[0] == both[1]


@pytest.mark.parametrize("path", PATHS)
def test_another_tenants_figures_are_not_shown(
    api: httpx2.Client, board: Board, path: str, connect: Connect, service: str, make_tenant: Callable[[], Tenant]
) -> None:
    book_a_day(board)
    board.tell()
    stranger = connect(service, make_tenant().key).get(path).raise_for_status().json()
    assert stranger["seq"] == 0
    assert stranger.get("requests", 0) == 0
    assert not stranger.get("rows")
    assert not stranger.get("series")


@pytest.mark.parametrize("path", PATHS)
def test_only_who_may_read_usage_is_told(connect: Connect, service: str, database: Database, path: str) -> None:
    key = new_tenant(database, [Permission.PROMPTS_WRITE]).key
    assert_problem(connect(service, key).get(path), 403)
    assert_problem(connect(service).get(path), 401)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"grain": "hour"}, "grain"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-11-01"}, "since"),
        ({"since": "2026-11-01T00:00:00"}, "since"),
        ({"since": "1793491200"}, "since"),
        ({"since": "2999-11-01T00:00:00Z"}, "since"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "until"),
        ({"until": "9999-12-31T23:59:59-14:00"}, "until"),
        ({"since": "2026-11-02T00:00:00Z", "until": "2026-11-02T00:00:00Z"}, "since"),
        ({"since": "2026-11-03T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, "since"),
        ({"grain": "second", "since": "2026-11-01T00:00:00Z", "until": "2026-11-01T00:25:01Z"}, "since"),
        ({"grain": "minute", "since": "2026-11-01T00:00:00Z", "until": "2026-11-02T01:01:00Z"}, "since"),
        ({"grain": "day", "since": "2025-01-01T00:00:00Z", "until": "2026-01-03T00:00:00Z"}, "since"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(f"{name} {one}" for name, one in value.items()),
)
@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_period_is_refused_and_the_parameter_named(
    api: httpx2.Client, path: str, params: dict[str, str], param: str
) -> None:
    problem = assert_problem(api.get(path, params={"by": "model", **params}), 422)
    assert param in str(problem)


@pytest.mark.parametrize("path", ["/v1/metrics/overview", "/v1/metrics/series"])
def test_a_day_of_minutes_may_begin_within_one_and_before_the_services_own(api: httpx2.Client, path: str) -> None:
    since = datetime.now(UTC) - timedelta(hours=24, seconds=90)
    assert api.get(path, params={"grain": "minute", "since": since.isoformat()}).status_code == 200


def test_a_range_that_is_just_long_enough_may_begin_and_end_within_buckets(api: httpx2.Client) -> None:
    asked = {"grain": "minute", "since": "2026-11-01T09:30:30Z", "until": "2026-11-02T09:30:30.250Z"}
    shown = get(api, "series", **asked)
    ends = [datetime.fromisoformat(shown[name]) for name in ("since", "until")]
    assert ends == [datetime(2026, 11, 1, 9, 30, tzinfo=UTC), datetime(2026, 11, 2, 9, 31, tzinfo=UTC)]


def test_a_split_series_has_fewer_buckets(api: httpx2.Client) -> None:
    asked = {"grain": "minute", "since": "2026-11-01T00:00:00Z", "until": "2026-11-01T06:41:00Z"}
    assert get(api, "series", **asked)["series"] == []
    assert_problem(api.get("/v1/metrics/series", params={**asked, "by": "model"}), 422)


@pytest.mark.parametrize("grain", ["second", "minute", "day"])
def test_whoever_names_no_period_is_given_one_that_can_be_given(api: httpx2.Client, grain: str) -> None:
    shown = get(api, "series", grain=grain, by="lever")
    length = datetime.fromisoformat(shown["until"]) - datetime.fromisoformat(shown["since"])
    assert length == timedelta(minutes={"second": 5, "minute": 400, "day": 30 * 24 * 60}[grain])


@pytest.mark.parametrize("by", ["", "key", "lever'; drop table metric_rollups; --", "(other)"])
def test_what_is_no_dimension_is_refused(api: httpx2.Client, by: str) -> None:
    assert_problem(api.get("/v1/metrics/breakdown", params={"by": by}), 422)
    assert_problem(api.get("/v1/metrics/series", params={"by": by}), 422)


def test_a_breakdown_wants_to_know_by_what(api: httpx2.Client) -> None:
    assert_problem(api.get("/v1/metrics/breakdown"), 422)


def test_a_period_is_in_utc_whatever_zone_it_is_given_in(api: httpx2.Client) -> None:
    shown = get(api, "overview", since="2026-11-01T23:30:00-05:00", until="2026-11-03T01:00:00+02:00")
    assert datetime.fromisoformat(shown["since"]) == datetime(2026, 11, 2, tzinfo=UTC)
    assert datetime.fromisoformat(shown["until"]) == datetime(2026, 11, 3, tzinfo=UTC)
