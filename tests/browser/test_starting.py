"""From nobody to a first answered request, without anybody's help."""

import json
import re
import subprocess
import sys
from uuid import uuid4

from browser.conftest import PASSWORD, Product, SignIn
from playwright.sync_api import BrowserContext, Page, Route, expect


def sign_up(page: Page, product: Product, email: str) -> None:
    page.goto(f"{product.running.url}/sign-up/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()


def test_a_newcomer_comes_from_an_account_to_a_key_to_an_answered_request(
    product: Product, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(f"{product.running.url}/sign-in/")
    page.get_by_role("link", name="Create an account").click()
    page.wait_for_url("**/sign-up/")
    sign_up(page, product, f"{uuid4().hex}@example.com")
    page.wait_for_url("**/start/")
    expect(page.get_by_text("Yours is free")).to_be_visible()
    expect(page.get_by_text("Waiting for your first request")).to_be_visible()
    page.get_by_role("button", name="Make the first key").click()
    expect(page.get_by_text("It is shown this once")).to_be_visible()
    page.get_by_role("tab", name="Python").click()
    program = page.get_by_role("tabpanel").locator("code").inner_text()
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()
    expect(page.get_by_text("A request has arrived")).to_be_visible()
    expect(page.get_by_text("It was answered by simulated/")).to_be_visible()
    secret = next(word for word in re.split(r'["\s]', program) if word.startswith("aico_live_"))
    page.reload()
    expect(page.get_by_text("You have a key already")).to_be_visible()
    assert secret not in page.content()
    assert secret not in page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")


def test_an_address_that_is_taken_is_told_in_words(product: Product, context: BrowserContext) -> None:
    page = context.new_page()
    sign_up(page, product, "ann@example.com")
    expect(page.get_by_text("There is an account with this email already")).to_be_visible()


def test_no_form_is_shown_where_the_project_lets_nobody_in(product: Product, context: BrowserContext) -> None:
    closed = json.dumps({"disable_signup": True})
    context.route("**/auth/v1/settings", lambda route: route.fulfill(body=closed, content_type="application/json"))
    page = context.new_page()
    page.goto(f"{product.running.url}/sign-up/")
    expect(page.get_by_role("heading", name="No new accounts here")).to_be_visible()
    expect(page.get_by_label("Email")).to_have_count(0)
    page.get_by_role("link", name="Sign in").click()
    page.wait_for_url("**/sign-in/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("link", name="Create an account")).to_have_count(0)


def test_whoever_must_confirm_his_address_is_told_so(product: Product, context: BrowserContext) -> None:
    """As a hosted project answers that sends messages: somebody, and no session."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        somebody = {"id": str(uuid4()), "aud": "authenticated", "email": "new@example.com", "identities": []}
        route.fulfill(body=json.dumps(somebody), content_type="application/json")

    context.route("**/auth/v1/signup**", answer)
    page = context.new_page()
    sign_up(page, product, "new@example.com")
    expect(page.get_by_role("heading", name="Confirm your address")).to_be_visible()
    expect(page.get_by_text("new@example.com")).to_be_visible()
    assert "start" in asked[0]  # where the message's link leads


def test_a_member_is_offered_no_key_of_the_tenants(product: Product, sign_in: SignIn) -> None:
    product.add_person("reader@example.com", role="viewer")
    page = sign_in("/start/", "reader@example.com")
    expect(page.get_by_text("Ask an owner or an administrator")).to_be_visible()
    expect(page.get_by_role("button", name="Make the first key")).to_have_count(0)
