"""What people come to the dashboard for."""

import re

import httpx2
import pytest
from browser.conftest import PLACES, Product, SignIn
from playwright.sync_api import Browser, Page, Request, expect

LARGEST_SCRIPTS = 300_000  # bytes, compressed
HOSTILE = "<img src=x onerror=\"document.body.dataset.hit='1'\"><script>document.body.dataset.hit='1'</script>"


def test_a_key_is_shown_once_and_opens_the_service(sign_in: SignIn, product: Product) -> None:
    page = sign_in("/keys/")
    page.get_by_role("button", name="Make a key").first.click()
    page.get_by_label("Name").fill("from the browser")
    page.get_by_role("button", name="Make the key").click()
    shown = page.get_by_role("dialog", name="The key's secret")
    secret = shown.locator("code").first.inner_text()
    page.get_by_role("button", name="I have kept it").click()
    expect(shown).to_be_hidden()
    expect(page.get_by_role("row").filter(has_text="from the browser")).to_be_visible()
    assert secret not in page.content()
    page.reload()
    expect(page.get_by_role("row").filter(has_text="from the browser")).to_be_visible()
    assert secret not in page.content()
    answer = httpx2.get(f"{product.running.url}/v1/whoami", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200


def test_a_budget_is_set_changed_and_holds(sign_in: SignIn, product: Product) -> None:
    page = sign_in("/budgets/")
    page.get_by_role("button", name="Set a limit").first.click()
    page.get_by_label("Limit in US dollars").fill("25")
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_text("$25.00").first).to_be_visible()
    page.get_by_role("button", name=re.compile("^Change: ")).first.click()
    page.get_by_label("Limit in US dollars").fill("40")
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_text("$40.00").first).to_be_visible()
    with product.running.client() as client:
        quotas = client.request("GET", "/v1/quotas")["data"]
    (quota,) = [one for one in quotas if one["unit"] == "cents"]
    assert float(quota["limit"]) == 4000


def test_a_job_tells_how_it_was_answered_and_its_words_stay_words(sign_in: SignIn, product: Product) -> None:
    job = product.ask(f"What does this do? {HOSTILE}")
    page = sign_in("/jobs/")
    page.get_by_role("main").get_by_role("link", name=job[-12:]).click()
    page.wait_for_url("**/jobs/detail/?id=*")
    expect(page.get_by_role("heading", name="How it was answered")).to_be_visible()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    expect(page.get_by_text("<img src=x").first).to_be_visible()
    assert page.evaluate("document.body.dataset.hit") is None


def test_a_request_shows_up_live(sign_in: SignIn, product: Product) -> None:
    page = sign_in("/overview/")
    expect(page.get_by_text("Live", exact=True).first).to_be_visible()
    before = live_requests(page)
    product.ask("Which day comes after Tuesday?")
    page.wait_for_function(
        "before => Number((document.body.innerText.match(/([\\d,]+) requests in the last/) || [])[1] || 0) > before",
        arg=before,
    )
    assert live_requests(page) > before


def live_requests(page: Page) -> int:
    found = re.search(r"([\d,]+) requests in the last", page.get_by_role("main").inner_text())
    return int(found[1].replace(",", "")) if found else 0


@pytest.mark.parametrize("place", ["/overview/", "/savings/", "/models/"])
def test_a_page_with_charts_loads_little_at_first(
    sign_in: SignIn, sessions: dict[str, dict[str, str]], browser: Browser, product: Product, place: str
) -> None:
    sign_in()
    with browser.new_context() as fresh:
        page = fresh.new_page()
        page.goto(product.running.url + "/config.json")
        page.evaluate("kept => Object.assign(localStorage, kept)", sessions["ann@example.com"])
        scripts: list[Request] = []
        page.on("requestfinished", lambda sent: scripts.append(sent) if sent.resource_type == "script" else None)
        page.goto(product.running.url + place)
        expect(page.get_by_role("application").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert 0 < sum(script.sizes()["responseBodySize"] for script in scripts) < LARGEST_SCRIPTS


def test_every_page_can_be_read_by_everybody(sign_in: SignIn, product: Product, axe: str) -> None:
    """In light and in dark, with a screen reader, and on a phone without scrolling sideways."""
    page = sign_in()
    found = {}
    for place in PLACES:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")
        page.goto(product.running.url + place)
        expect(page.get_by_role("main").get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        expect(page.get_by_role("button", name="Try again")).to_have_count(0)
        page.evaluate(axe)
        found[place] = objections(page)
        page.emulate_media(color_scheme="dark")
        found[place] += objections(page, "color-contrast")
        page.set_viewport_size({"width": 360, "height": 740})
        if page.evaluate("document.documentElement.scrollWidth") > 360:
            found[place].append("wider than a phone")
    assert {place: complaints for place, complaints in found.items() if complaints} == {}


def objections(page: Page, *rules: str) -> list[str]:
    """What axe objects to, by all of its rules or by these."""
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found = page.evaluate("options => axe.run(options)", options)
    return [f"{one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]
