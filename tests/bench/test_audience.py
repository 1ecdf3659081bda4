"""The bench's viewers: with the official client, in a process of their own, before the real stand-in."""

from dataclasses import replace

import pytest
from embedded.realtime.conftest import Live, live, live_files, serve_live  # noqa: F401 - fixtures

from aico.store.blocking import Database
from bench.live.audience import looking_on, make_tenants
from bench.live.figures import missing, told
from bench.load import LoadFailed


@pytest.fixture
def addresses(live: Live) -> dict[str, str]:  # noqa: F811 - the fixture
    keys = live.project
    return {"SUPABASE_URL": live.url, "SUPABASE_ANON_KEY": keys.publishable, "SUPABASE_SERVICE_KEY": keys.secret}


def test_each_viewer_has_the_ticks_of_his_tenant_and_the_last_one_is_waited_for(
    live: Live,  # noqa: F811 - the fixture
    addresses: dict[str, str],
    database: Database,
) -> None:
    first, second = make_tenants(addresses, database, 2)
    with looking_on(addresses, [first, second, first]) as audience:
        for seq in (1, 2):
            shown = {"at": f"2026-11-26T09:00:0{seq}Z", "requests": 10}
            live.send(first.topic, {"seq": seq, "at": "2026-11-26T09:00:00.000Z", "seconds": [shown]})
        live.send(second.topic, {"seq": 1, "at": "2026-11-26T09:00:00.000Z", "seconds": []})
        seen = audience.leave({first.topic: 2, second.topic: 1})
    assert [[tick.seq for tick in ticks] for ticks in seen] == [[1, 2], [1], [1, 2]]
    assert [told(ticks) for ticks in seen] == [20, 0, 20]
    assert missing((tick.seq for tick in seen[0]), 1, 2) == 0


def test_viewers_who_may_not_hear_a_topic_fail_the_bench(addresses: dict[str, str], database: Database) -> None:
    first, second = make_tenants(addresses, database, 2)
    with (
        pytest.raises(LoadFailed, match="could not subscribe"),
        looking_on(addresses, [replace(first, token=second.token)]),
    ):
        pytest.fail("a stranger subscribed")
