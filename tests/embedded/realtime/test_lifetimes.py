"""What ends a channel, and what brings it back: tokens, sign-ins and memberships end, servers and databases go away."""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import jwt
import psycopg
import pytest
from conftest import APPLICATION_PASSWORD, new_tenant, running
from embedded.auth.conftest import PASSWORD
from embedded.realtime.conftest import Live, Person, Serve, let_in_all
from embedded.realtime.listening import of, states, subscribed, until
from embedded.realtime.speaking import speaking
from embedded.realtime.test_clients import ALERTS, Open, each_client, occasions

from aico.embedded.auth.signing import SigningKeys
from aico.embedded.ports import free_port
from aico.embedded.postgres import PostgresServer
from aico.embedded.realtime.limits import Limits
from aico.store.blocking import Database
from aico.store.migrate import APPLICATION, migrate

END_SOURCE = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where usename = 'aico_realtime' and application_name = 'aico-realtime-source'"
)


def token_of(live: Live, person: Person, **changes: Any) -> str:
    """Another token of the same sign-in."""
    claims = {**jwt.decode(person.token, options={"verify_signature": False}), **changes}
    return SigningKeys(live.project.files.signing_keys, f"{live.url}/auth/v1").sign(claims)


@each_client
def test_a_channel_ends_with_its_token(live: Live, ann: Person, client: Open, version: str) -> None:
    async def play() -> None:
        async with client(live, None, version) as listener:
            await listener.token(token_of(live, ann, exp=int(time.time()) + 3))
            await subscribed(listener, ann.topic, private=True)
            await until(lambda: states(listener, ann.topic)[-1] == "CLOSED")
            live.send(ann.topic, {"seq": 1})
            await listener.token(ann.token)
            await subscribed(listener, f"{ann.topic}:more", private=True)
            live.send(f"{ann.topic}:more", {"seq": 2})
            [tick] = await until(lambda: of(listener, "broadcast"))
            assert tick["payload"]["seq"] == 2

    anyio.run(play)


@each_client
def test_a_newer_token_keeps_a_channel_open(live: Live, ann: Person, client: Open, version: str) -> None:
    async def play() -> None:
        async with client(live, None, version) as listener:
            expiry = int(time.time()) + 3
            await listener.token(token_of(live, ann, exp=expiry))
            await subscribed(listener, ann.topic, private=True)
            await listener.token(ann.token)
            await until(lambda: time.time() > expiry + 1.5)
            live.send(ann.topic, {"seq": 1})
            await until(lambda: of(listener, "broadcast"))
            assert states(listener, ann.topic) == ["SUBSCRIBED"]

    anyio.run(play)


@each_client
def test_who_signs_out_hears_nothing_more_that_is_private(live: Live, ann: Person, client: Open, version: str) -> None:
    async def play() -> None:
        async with client(live, None, version) as listener:
            await listener.sign_in(ann.email, PASSWORD)
            await subscribed(listener, ann.topic, private=True)
            await subscribed(listener, "changes", [ALERTS])
            await listener.sign_out()
            await until(lambda: states(listener, ann.topic)[-1] == "CLOSED")
            live.alert(ann.tenant, "after")
            live.send(ann.topic, {"seq": 1})
            live.send("changes", {"seq": 2}, private=False)
            await until(lambda: of(listener, "broadcast"))
            assert [told["name"] for told in of(listener, "broadcast")] == ["changes"]
            assert occasions(listener) == []

    anyio.run(play)


@pytest.mark.parametrize(
    "ends",
    [
        "delete from public.members where user_id = %s",
        "delete from auth.sessions where user_id = %s",
        "delete from auth.users where id = %s",
    ],
    ids=["the membership", "the sign-in", "the account"],
)
def test_a_right_that_ended_elsewhere_is_seen_at_the_next_look(
    serve_live: Serve, database: Database, ends: str
) -> None:
    with serve_live(limits=Limits(recheck_seconds=0)) as live:
        eve, tom = (live.join(new_tenant(database).id) for _ in range(2))

        async def play() -> None:
            async with speaking(live) as hers, speaking(live) as his:
                for line, person in ((hers, eve), (his, tom)):
                    assert (await line.join(person.topic, person, private=True))["status"] == "ok"
                live.database.execute(ends, (eve.id,))
                assert (await hers.hear("system"))["payload"]["status"] == "error"
                await hers.hear("phx_close")
                live.send(tom.topic, {"seq": 1})
                assert (await his.hear("broadcast"))["payload"]["payload"]["seq"] == 1
                assert (await hers.join(eve.topic, eve, private=True))["status"] == "error"

        anyio.run(play)


@pytest.mark.parametrize("what", ["expired", "forged", "another server's", "a role's", "no uuid", "junk", "of nobody"])
def test_a_token_that_is_no_token_opens_nothing(live: Live, ann: Person, what: str) -> None:
    other = SigningKeys(live.project.files.signing_keys, "https://elsewhere.example/auth/v1")
    claims = jwt.decode(ann.token, options={"verify_signature": False})
    token = {
        "expired": token_of(live, ann, exp=int(time.time()) - 5),
        "forged": jwt.encode(claims, "x" * 32, "HS256", headers={"kid": jwt.get_unverified_header(ann.token)["kid"]}),
        "another server's": other.sign({name: value for name, value in claims.items() if name != "iss"}),
        "a role's": token_of(live, ann, role="service_role"),
        "no uuid": token_of(live, ann, sub="' or true --"),
        "junk": "a.b.c",
        "of nobody": jwt.encode(claims, "", "none"),
    }[what]

    async def play() -> None:
        async with speaking(live) as line:
            for name, private in ((ann.topic, True), ("public", False)):
                answer = await line.join(name, token=token, private=private)
                assert answer["status"] == "error"
                assert answer["response"]["reason"].startswith(("InvalidJWTToken", "MalformedJWT"))
            assert (await line.join(ann.topic, ann, private=True))["status"] == "ok"
            await line.say(f"realtime:{ann.topic}", "access_token", {"access_token": token})
            assert (await line.hear("system"))["payload"]["status"] == "error"
            await line.hear("phx_close")

    anyio.run(play)


def test_nobody_without_a_token_hears_what_is_private(live: Live, ann: Person) -> None:
    async def play() -> None:
        for key in (live.project.publishable, live.project.secret):
            async with speaking(live, apikey=key) as line:
                for token in (None, key):
                    answer = await line.join(ann.topic, token=token, private=True)
                    assert answer["response"]["reason"].startswith("Unauthorized")
                assert (await line.join("changes", postgres_changes=[ALERTS]))["status"] == "ok"
                await line.join("public")
                live.alert(ann.tenant, f"secret {key[:9]}")
                live.send("public", {"seq": 1}, private=False)
                assert (await line.hear("broadcast"))["payload"]["payload"]["seq"] == 1

    anyio.run(play)


@pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")  # the Python client's own
@each_client
def test_clients_come_back_by_themselves_after_the_server_was_away(
    serve_live: Serve, database: Database, client: Open, version: str
) -> None:
    port = free_port(0)

    async def play() -> None:
        with ExitStack() as servers:
            live = servers.enter_context(serve_live(port=port))
            eve = live.join(new_tenant(database).id)
            async with client(live, eve, version) as listener:
                await subscribed(listener, eve.topic, private=True)
                await subscribed(listener, "changes", [ALERTS])
                await asyncio.to_thread(servers.close)
                await until(lambda: states(listener, "changes")[-1] == "CHANNEL_ERROR")
                live = servers.enter_context(serve_live(port=port))
                await until(lambda: states(listener, eve.topic)[-1] == states(listener, "changes")[-1] == "SUBSCRIBED")
                await until(lambda: len(of(listener, "system", "changes")) == 2)
                live.send(eve.topic, {"seq": 2})
                live.alert(eve.tenant, "back")
                await until(lambda: of(listener, "broadcast") and occasions(listener) == ["back"])
                assert [told["payload"]["seq"] for told in of(listener, "broadcast")] == [2]

    anyio.run(play)


@each_client
def test_whoever_may_have_missed_something_is_told_and_subscribed_again(
    live: Live, ann: Person, client: Open, version: str
) -> None:
    async def play() -> None:
        async with client(live, ann, version) as listener:
            await subscribed(listener, ann.topic, private=True)
            live.database.execute(END_SOURCE)
            await until(lambda: states(listener, ann.topic)[1:] == ["CHANNEL_ERROR", "SUBSCRIBED"])
            live.send(ann.topic, {"seq": 1})
            await until(lambda: of(listener, "broadcast"))
            assert of(listener, "state", ann.topic)[1]["error"]

    anyio.run(play)


def test_who_joins_while_nothing_can_be_followed_is_to_try_again(serve_live: Serve, database: Database) -> None:
    with serve_live() as live:
        eve = live.join(new_tenant(database).id)
        source = live.realtime._services.source

        async def play() -> None:
            async with speaking(live) as line:
                assert (await line.join(eve.topic, eve, private=True))["status"] == "ok"
                source.ready.clear()
                refused = await line.join(eve.topic, eve, private=True)
                assert refused["response"]["reason"].startswith("UnableToConnectToProject")
                source.ready.set()
                assert (await line.join(eve.topic, eve, private=True))["status"] == "ok"

        anyio.run(play)


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> tuple[PostgresServer, Path]:
    """A database that may be stopped, and its log."""
    state = tmp_path_factory.mktemp("restarted")
    server = PostgresServer(state, free_port(0))
    server.prepare()
    with running(server.spec(), state / "log"):
        migrate(server.superuser_url.get_secret_value(), APPLICATION_PASSWORD)
    return server, state / "log"


@each_client
def test_channels_survive_a_restart_of_the_database(
    own_postgres: tuple[PostgresServer, Path], serve_live: Serve, client: Open, version: str
) -> None:
    server, output = own_postgres
    admin = server.superuser_url.get_secret_value()
    url = f"postgresql://{APPLICATION}:{APPLICATION_PASSWORD}@{admin.rpartition('@')[2]}"

    async def play() -> None:
        with ExitStack() as servers, ExitStack() as first:
            first.enter_context(running(server.spec(), output))
            let_in_all(admin)
            live = servers.enter_context(serve_live(admin))
            database = Database(url, max_size=1)
            database.open()
            eve = live.join(new_tenant(database).id)
            database.close()
            async with client(live, eve, version) as listener:
                await subscribed(listener, eve.topic, private=True)
                await asyncio.to_thread(first.close)
                await until(lambda: "CHANNEL_ERROR" in states(listener, eve.topic))
                with running(server.spec(), output), psycopg.connect(admin, autocommit=True) as database_again:
                    await until(lambda: states(listener, eve.topic)[-1] == "SUBSCRIBED")
                    database_again.execute("select realtime.send('{\"seq\": 1}', 'tick', %s)", (eve.topic,))
                    [tick] = await until(lambda: of(listener, "broadcast"))
                    assert tick["payload"]["seq"] == 1
                    await asyncio.to_thread(servers.close)

    anyio.run(play)
