"""The dashboard's pages as files: what a browser is told with them, and that no other route is touched."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from api.conftest import Connect, assert_problem, serving

from aico.core.settings import Settings

PAGE = "<!doctype html><script src='/_next/static/a.js'></script><script>first()</script><script id=x>second()</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    script = folder / "_next" / "static" / "a.js"
    script.parent.mkdir(parents=True)
    script.write_text("go()" * 1000)
    for page in (folder, folder / "overview", folder / "webhooks"):
        page.mkdir(exist_ok=True)
        (page / "index.html").write_text(PAGE)
        (page / "index.txt").write_text("what the router fetches")
    (folder / "index.html").write_text(PAGE)
    (folder.parent / "outside.txt").write_text("not for anybody")
    return folder


@pytest.fixture(scope="module")
def address(base_settings: Settings, folder: Path) -> Iterator[str]:
    told = {"dashboard_dir": folder, "supabase_url": "https://project.supabase.co"}
    with serving(base_settings.model_copy(update=told)) as url:
        yield url


@pytest.fixture
def client(address: str, connect: Connect) -> httpx2.Client:
    return connect(address)


@pytest.mark.parametrize("path", ["/", "/overview/", "/webhooks/"])
def test_a_page_runs_the_scripts_that_it_was_built_with_and_no_others(client: httpx2.Client, path: str) -> None:
    page = client.get(path)
    assert page.text == PAGE
    assert page.headers["Cache-Control"] == "no-cache"
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    digests = {
        f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in (b"first()", b"second()")
    }
    assert set(policy["script-src"].split()) == {"'self'", *digests}
    assert policy["connect-src"] == "'self' https://project.supabase.co wss://project.supabase.co"
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"


def test_scripts_are_compressed_and_kept_and_pages_are_asked_for_again(client: httpx2.Client) -> None:
    script = client.get("/_next/static/a.js")
    assert script.headers["Content-Encoding"] == "gzip"
    assert "immutable" in script.headers["Cache-Control"]
    plain = client.get("/_next/static/a.js", headers={"Accept-Encoding": "identity"})
    assert plain.text == script.text == "go()" * 1000
    assert int(script.headers["Content-Length"]) < int(plain.headers["Content-Length"])
    assert plain.headers["Vary"] == script.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["Content-Type"] == script.headers["Content-Type"]
    assert client.head("/_next/static/a.js").headers["Content-Encoding"] == "gzip"
    etag = client.get("/overview/").headers["ETag"]
    assert client.get("/overview/", headers={"If-None-Match": etag}).status_code == 304


def test_a_page_without_its_slash_is_found(client: httpx2.Client) -> None:
    assert client.get("/overview", follow_redirects=True).text == PAGE


@pytest.mark.parametrize("path", ["/nothing", "/overview/nothing", "/v1/nothing", "/_next/static/b.js"])
def test_what_is_not_there_is_refused_like_everything_else(client: httpx2.Client, path: str) -> None:
    assert_problem(client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    "path", ["/overview/../../outside.txt", "/overview/%2e%2e/%2e%2e/outside.txt", "/%00", "/overview/%00"]
)
def test_nothing_outside_of_the_folder_is_served(address: str, connect: Connect, path: str) -> None:
    found = connect(address).request("GET", httpx2.URL(address).copy_with(raw_path=path.encode()))
    assert found.status_code == 404
    assert "not for anybody" not in found.text


def test_other_routes_refuse_as_before(client: httpx2.Client) -> None:
    assert_problem(client.post("/health"), 405, "method_not_allowed")
    assert_problem(client.post("/overview/"), 405, "method_not_allowed")


def test_pages_are_told_where_people_sign_in_and_no_secret(client: httpx2.Client, base_settings: Settings) -> None:
    told = client.get("/config.json").json()
    assert set(told) == {"api_url", "supabase_url", "supabase_key", "version"}
    assert told["supabase_url"] == "https://project.supabase.co"
    secret = base_settings.supabase_service_key
    assert secret is None or secret.get_secret_value() not in str(told)


def test_without_the_pages_the_root_says_how_to_build_them(base_settings: Settings, connect: Connect) -> None:
    with serving(base_settings.model_copy(update={"dashboard_dir": Path("nowhere")})) as url:
        page = connect(url).get("/")
        assert "make dashboard" in page.text
        assert page.headers["Content-Type"].startswith("text/html")
