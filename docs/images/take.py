"""Take the dashboard's pictures from a running product: what they show was asked of it, and answered by a simulation.

In one terminal `make up ARGS=--simulated`, in another one `make screenshots`.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import httpx2
from dotenv import dotenv_values
from playwright.sync_api import Page, sync_playwright
from tqdm import tqdm

HERE = Path(__file__).parent
PROMPTS = HERE.parents[1] / "examples" / "prompts.jsonl"
TAGS = ("support", "handbook", "search", "reports")
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
SWITCHES = ("--no-sandbox", "--disable-quic", "--disable-background-networking", "--no-first-run")
# Picture, page, colour scheme and size.
PICTURES = (
    ("landing", "/", "light", DESKTOP),
    ("overview", "/overview/", "light", DESKTOP),
    ("overview-dark", "/overview/", "dark", DESKTOP),
    ("overview-phone", "/overview/", "light", PHONE),
    ("savings", "/savings/", "light", DESKTOP),
    ("models", "/models/", "light", DESKTOP),
    ("cache", "/cache/", "light", DESKTOP),
    ("jobs", "/jobs/", "light", DESKTOP),
    ("batches", "/batches/", "light", DESKTOP),
    ("budgets", "/budgets/", "light", DESKTOP),
    ("operator", "/operator/", "dark", DESKTOP),
)


async def send(url: str, key: str, seconds: int) -> None:
    """Ask the example prompts, the first ones most often, in a stream that never quite stops."""
    prompts = [json.loads(line) for line in PROMPTS.read_text().splitlines()]
    weights = list(accumulate(1 / rank for rank in range(1, len(prompts) + 1)))
    draw = random.Random(7)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        await batch(client, prompts)
        running: set[asyncio.Task[Any]] = set()
        for _ in tqdm(range(seconds * 4), desc="asking", unit=" prompts"):
            (prompt,) = draw.choices(prompts, cum_weights=weights)
            body = {name: prompt[name] for name in ("prompt", "system", "max_tokens")} | {"tags": [draw.choice(TAGS)]}
            running.add(asyncio.create_task(client.post("/v1/jobs", json=body)))
            await asyncio.sleep(draw.expovariate(4))
        for reply in await asyncio.gather(*running):
            reply.raise_for_status()
        # The newest job, whose picture is taken: asked for the first time.
        question = f"Compare tents and tarps for {draw.randrange(2, 10**6)} nights in the rain."
        (await client.post("/v1/chat", json={"prompt": question, "max_tokens": 96})).raise_for_status()


async def batch(client: httpx2.AsyncClient, prompts: list[dict[str, Any]]) -> None:
    """All prompts again, as a batch."""
    lines = [
        {
            "custom_id": prompt["id"],
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "auto", "messages": [{"role": "user", "content": prompt["prompt"]}], "max_tokens": 96},
        }
        for prompt in prompts
    ]
    content = "\n".join(map(json.dumps, lines)).encode()
    given = await client.post("/v1/files", data={"purpose": "batch"}, files={"file": ("questions.jsonl", content)})
    file = given.raise_for_status().json()["id"]
    body = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    (await client.post("/v1/batches", json=body)).raise_for_status()


@contextmanager
def signed_in(url: str, state_dir: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        found = map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))
        chromium = os.environ.get("CHROMIUM") or next(filter(None, found), None)
        browser = playwright.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        page = browser.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
        page.goto(f"{url}/sign-in/")
        page.get_by_label("Email").fill("owner@localhost")
        page.get_by_label("Password").fill((state_dir / "owner.password").read_text().strip())
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/overview/")
        yield page
        browser.close()


def take(page: Page, url: str) -> None:
    page.goto(f"{url}/budgets/")
    page.get_by_role("button", name="Set a limit").first.click()
    page.get_by_label("Limit in US dollars").fill("50")
    page.get_by_role("button", name="Set it").click()
    for name, path, scheme, size in PICTURES:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.goto(url + path)
        settle(page)
        page.screenshot(path=HERE / f"{name}.png")
    page.set_viewport_size({"width": 1280, "height": 1500})
    page.emulate_media(color_scheme="light")
    page.goto(f"{url}/jobs/")
    page.get_by_role("region", name="Jobs").get_by_role("link").first.click()
    page.wait_for_url("**/jobs/detail/**")
    settle(page)
    page.screenshot(path=HERE / "job.png")


def settle(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)  # charts draw themselves in


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state-dir", type=Path, default=Path(".aico"), help="of the running `aico up`")
    parser.add_argument("--seconds", type=int, default=120, help="how long prompts are sent before the pictures")
    given = parser.parse_args()
    stack = given.state_dir / "stack.env"
    if not stack.is_file():
        sys.exit(f"Nothing runs in {given.state_dir}: start `make up ARGS=--simulated` first, or name its --state-dir.")
    variables = dotenv_values(stack)
    url, key = str(variables["COST_OPTIMIZER_API_URL"]), str(variables["AICO_API_KEY"])
    if given.seconds:
        asyncio.run(send(url, key, given.seconds))
    with signed_in(url, given.state_dir) as page:
        take(page, url)


if __name__ == "__main__":
    main()
