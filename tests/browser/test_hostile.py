"""Whatever people, programs and models write is text on every page."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from browser.conftest import PLACES, Product, SignIn
from playwright.sync_api import Page, expect

HOSTILE = "\"'><img src=x onerror=\"document.documentElement.dataset.hit='1'\"><svg onload=\"window.name='hit'\"></svg>"
TENANT = f"eve {HOSTILE}"
SHOWN = {"/keys/", "/webhooks/", "/experiments/", "/cache/", "/settings/"}  # the places with words of people's own
SCOPES = ("prompts:read", "prompts:write", "usage:read", "webhooks:write", "keys:write", "settings:write")


@pytest.fixture(scope="session")
def written(product: Product) -> dict[str, str]:
    """A tenant all of whose words are hostile: the paths of the pages that show them."""
    product.add_person("eve@example.com", tenant=TENANT)
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    key = product.aico("keys", "create", HOSTILE, "--tenant", TENANT, *scopes).split()[-1]
    with httpx2.Client(base_url=product.running.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as api:
        job = post(api, "/v1/chat", {"prompt": HOSTILE, "system": HOSTILE, "metadata": {"x": HOSTILE}})
        post(api, "/v1/feedback", {"job_id": job["id"], "thumb": "up", "comment": HOSTILE})
        arms = [{"name": "as-it-is", "control": True}, {"name": "b", "treatment": {"cache": "off"}}]
        experiment = post(api, "/v1/experiments", {"name": HOSTILE, "description": HOSTILE, "arms": arms})
        webhook = post(api, "/v1/webhooks", {"url": f"https://example.com/{HOSTILE}", "description": HOSTILE})
        batch = post(api, "/v1/batches", batch_of(api))
        (entry,) = api.get("/v1/cache/entries").raise_for_status().json()["data"][:1]
    return {
        "job": f"/jobs/detail/?id={job['id']}",
        "entry": f"/cache/entry/?id={entry['id']}",
        "batch": f"/batches/detail/?id={batch['id']}",
        "experiment": f"/experiments/detail/?id={experiment['id']}",
        "webhook": f"/webhooks/detail/?id={webhook['id']}",
    }


def post(api: httpx2.Client, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    reply = api.post(path, json=body)
    assert reply.is_success, reply.text
    found: dict[str, Any] = reply.json()
    return found


def batch_of(api: httpx2.Client) -> dict[str, Any]:
    body = {"model": "auto", "messages": [{"role": "user", "content": HOSTILE}]}
    line = {"custom_id": HOSTILE, "method": "POST", "url": "/v1/chat/completions", "body": body}
    files = {"file": (HOSTILE, json.dumps(line).encode())}
    file = api.post("/v1/files", data={"purpose": "batch"}, files=files).raise_for_status().json()
    return {
        "input_file_id": file["id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"x": HOSTILE},
    }


def unharmed(page: Page) -> bool:
    page.wait_for_load_state("networkidle")
    return bool(page.evaluate("document.documentElement.dataset.hit === undefined && window.name !== 'hit'"))


@pytest.mark.parametrize("which", ["job", "entry", "batch", "experiment", "webhook"])
def test_what_is_looked_at_closely_is_text(sign_in: SignIn, written: dict[str, str], which: str) -> None:
    page = sign_in(written[which], "eve@example.com")
    expect(page.get_by_role("main").get_by_text(HOSTILE).first).to_be_visible()
    assert unharmed(page)


def test_no_page_runs_what_it_shows(sign_in: SignIn, product: Product, written: dict[str, str]) -> None:
    page = sign_in("/overview/", "eve@example.com")
    harmed = []
    for place in PLACES:
        page.goto(product.running.url + place)
        expect(page.get_by_role("main").get_by_role("heading", level=1)).to_be_visible()
        if place in SHOWN:
            expect(page.get_by_text(HOSTILE).first).to_be_visible()
        if not unharmed(page):
            harmed.append(place)
    assert harmed == []
