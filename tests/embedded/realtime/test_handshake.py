"""Who may open a connection at all."""

import anyio
import pytest
from embedded.auth.test_gateway import BROWSER, LOCAL_PAGE
from embedded.realtime.conftest import Live, Serve
from embedded.realtime.listening import until
from embedded.realtime.speaking import speaking
from websockets.exceptions import InvalidStatus

from aico.embedded.realtime.limits import Limits


def refusal(live: Live, headers: dict[str, str] | None = None, **query: str) -> tuple[int, str]:
    async def knock() -> None:
        async with speaking(live, headers, **query):
            pass

    with pytest.raises(InvalidStatus) as caught:
        anyio.run(knock)
    response = caught.value.response
    assert response.headers["Content-Type"] == "application/json"
    return response.status_code, (response.body or b"").decode()


def admitted(live: Live, headers: dict[str, str] | None = None, **query: str) -> bool:
    async def knock() -> bool:
        async with speaking(live, headers, **query) as line:
            answer = await line.ask("phoenix", "heartbeat")
            return bool(answer["status"] == "ok")

    return anyio.run(knock)


@pytest.mark.parametrize("key", ["", "sb_publishable_other", "eyJhbGciOiJub25lIn0.e30.", "é", "\0"])
def test_nobody_connects_without_a_key_of_this_project(live: Live, key: str) -> None:
    status, body = refusal(live, apikey=key)
    assert status == 401
    assert body.startswith('{"error":')
    assert live.project.publishable not in body


def test_a_key_may_come_in_a_header(live: Live) -> None:
    assert admitted(live, {"x-api-key": live.project.publishable}, apikey="")


def test_the_secret_key_opens_nothing_in_a_browser(live: Live) -> None:
    secret = live.project.secret
    assert admitted(live, apikey=secret)
    assert refusal(live, {"User-Agent": BROWSER}, apikey=secret)[0] == 401
    assert refusal(live, {"Origin": live.url}, apikey=secret)[0] == 401


def test_pages_of_the_allowed_origins_alone_may_connect(serve_live: Serve) -> None:
    with serve_live(origins=(LOCAL_PAGE,)) as live:
        assert admitted(live, {"Origin": LOCAL_PAGE})
        assert admitted(live, {"Origin": live.url})
        for origin in ("https://elsewhere.example", "null", f"{LOCAL_PAGE}.elsewhere.example", live.url + "0"):
            assert refusal(live, {"Origin": origin})[0] == 403


def test_an_unknown_version_is_refused(live: Live) -> None:
    assert refusal(live, vsn="3.0.0")[0] == 400
    assert admitted(live, vsn="1.0.0")


def test_connections_beyond_the_limit_are_refused_until_one_ends(serve_live: Serve) -> None:
    with serve_live(limits=Limits(connections=1)) as live:

        async def play() -> None:
            async with speaking(live) as line:
                await line.ask("phoenix", "heartbeat")
                with pytest.raises(InvalidStatus) as caught:
                    async with speaking(live):
                        pass
                assert caught.value.response.status_code == 429
            await until(lambda: not live.realtime.channels.connections)

        anyio.run(play)
        assert admitted(live)
