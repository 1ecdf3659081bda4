"""The dashboard in a real browser, before the whole product as `aico up` starts it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from acceptance.conftest import Running, stack
from conftest import unavailable
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from aico.embedded.auth.files import Files

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "dashboard" / "out"
PASSWORD = "correct horse battery staple"
TENANT = "development"
PATIENCE_MS = 20_000
# All pages of the navigation.
PLACES = (
    *("/overview/", "/savings/", "/models/", "/cache/", "/jobs/", "/batches/", "/experiments/", "/keys/"),
    *("/webhooks/", "/budgets/", "/members/", "/settings/", "/operator/", "/start/"),
)
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")  # the first is the lightest
# The browser's own calls home fail on a closed network, and root needs the sandbox off.
_SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",  # it would be simulated, at the cost of a core
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@dataclass(frozen=True)
class Product:
    running: Running

    def aico(self, *arguments: str, given: str = "") -> str:
        """What a command prints. Raises CalledProcessError."""
        command = [sys.executable, "-m", "aico.cli.main", *arguments]
        state = self.running.state_dir
        environment = {**os.environ, **_stack_variables(state)}
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, check=True, cwd=state, env=environment
        )
        return done.stdout

    def ask(self, prompt: str) -> str:
        """A prompt, until it is answered. Returns the job's id."""
        with self.running.client() as client:
            job = client.submit({"prompt": prompt})
            assert client.wait(job["id"])["status"] == "completed"
            return str(job["id"])

    def add_person(self, email: str, role: str = "owner", tenant: str = TENANT) -> None:
        self.aico("users", "create", email, "--tenant", tenant, "--role", role, "--password-stdin", given=PASSWORD)


def _stack_variables(state: Path) -> dict[str, str]:
    lines = (state / "stack.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="module")  # and no longer: while it is open, this thread has a running event loop
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        unavailable("there is no Chromium; install it, or name it in CHROMIUM")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(_SWITCHES))
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    if not (PAGES / "index.html").is_file():
        unavailable("the dashboard's pages are not built: `make dashboard`")
    environment = {"DASHBOARD_DIR": str(PAGES), "HOLDOUT_SHARE": "0", "AUTH_SIGNUP": "true"}
    with stack(tmp_path_factory.mktemp("browser") / "state", "--no-flower", environment=environment) as running:
        found = Product(running)
        assert Files.under(running.state_dir).home.exists()
        found.add_person("ann@example.com")
        yield found


@pytest.fixture(scope="session")
def axe() -> str:
    """The program that looks for what keeps people out."""
    path = ROOT / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        unavailable("axe-core is not installed: `make dashboard`")
    return path.read_text()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of its own for each test; whatever a page complains about fails it."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as opened:
        opened.set_default_timeout(PATIENCE_MS)
        complaints: list[str] = []
        opened.on("weberror", lambda error: complaints.append(str(error.error)))
        opened.on(
            "console",
            lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None,
        )
        yield opened
        assert complaints == []


SignIn = Callable[..., Page]


@pytest.fixture(scope="session")
def sessions() -> dict[str, dict[str, str]]:
    """What the browser keeps of each person's sign-in: the service limits how often one address signs in."""
    return {}


@pytest.fixture
def sign_in(product: Product, context: BrowserContext, sessions: dict[str, dict[str, str]]) -> SignIn:
    """Opens a page of the dashboard as somebody who has signed in."""

    def opened(path: str = "/overview/", email: str = "ann@example.com") -> Page:
        page = context.new_page()
        page.goto(product.running.url + "/config.json")
        page.evaluate("kept => Object.assign(localStorage, kept)", sessions.get(email, {}))
        page.goto(product.running.url + path)
        if email not in sessions:
            fill_in(page, email, PASSWORD)
            page.wait_for_url(f"**{path}")
            sessions[email] = page.evaluate("({...localStorage})")
        expect(page.get_by_role("main")).to_be_visible()
        return page

    return opened


def fill_in(page: Page, email: str, password: str) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
