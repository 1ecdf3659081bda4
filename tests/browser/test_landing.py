"""What a visitor sees who is nobody here yet: it takes no account, and what he gives does not leave the page."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from browser.conftest import Product
from playwright.sync_api import BrowserContext, Page, Request, expect

RESULT = re.compile("The audit.s result")
LARGEST_SCRIPT = 200_000  # bytes, compressed


@pytest.fixture
def landing(product: Product, context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto(f"{product.running.url}/")
    page.wait_for_load_state("networkidle")
    return page


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty calls, a third of which ask the same."""
    usage = {"prompt_tokens": 400, "completion_tokens": 200, "total_tokens": 600}
    lines = []
    for number in range(60):
        question = "What are your opening hours?" if number % 3 else f"Where is my order {number}?"
        answer = {"role": "assistant", "content": f"The answer to that, in kind {number % 3}."}
        response = {
            "id": f"c{number}",
            "object": "chat.completion",
            "created": 1_760_000_000 + 60 * number,
            "model": "gpt-5.4",
            "choices": [{"index": 0, "message": answer}],
            "usage": usage,
        }
        request = {"model": "gpt-5.4", "messages": [{"role": "user", "content": question}]}
        lines.append(json.dumps({"request": request, "response": response}))
    file = tmp_path_factory.mktemp("audited") / "log.jsonl"
    file.write_text("\n".join(lines))
    return file


@pytest.fixture(scope="module")
def audited(product: Product, log: Path) -> Path:
    file = log.with_name("audit.json")
    file.write_text(product.aico("audit", str(log), "--json", "--no-embeddings"))
    return file


def dollars(cents: Decimal) -> str:
    """As the page writes amounts from ten cents to a thousand dollars."""
    return f"${cents / 100:.2f}"


def test_a_visitor_loads_little_and_needs_no_account(product: Product, context: BrowserContext) -> None:
    page = context.new_page()
    scripts: list[Request] = []
    page.on("requestfinished", lambda request: scripts.append(request) if request.resource_type == "script" else None)
    page.goto(f"{product.running.url}/")
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("link", name="Create an account")).to_be_visible()
    assert 0 < sum(script.sizes()["responseBodySize"] for script in scripts) < LARGEST_SCRIPT
    assert page.evaluate("Object.keys(localStorage)") == []


def test_the_example_names_this_installation(product: Product, landing: Page) -> None:
    expect(landing.get_by_text(f'base_url="{product.running.url}/v1"')).to_be_visible()


def test_the_calculator_reckons_with_what_the_visitor_says(landing: Page) -> None:
    landing.get_by_label("What you pay providers").fill("20000")
    for name, (cautious, hopeful) in {
        "Identical requests": ("10", "20"),
        "Same meaning": ("0", "10"),
        "one dear model": ("50", "50"),
        "cost afterwards": ("50", "50"),
        "can wait": ("0", "0"),
    }.items():
        group = landing.get_by_role("group", name=name)
        group.get_by_label("Cautious").fill(cautious)
        group.get_by_label("Hopeful").fill(hopeful)
    told = landing.get_by_role("status", name="What that would save")
    # 2,000 + a quarter of 18,000 and 6,000 + a quarter of 14,000, less a hundredth of each for what is held out.
    expect(told).to_contain_text("$6,435 to $9,405")
    expect(told).to_contain_text("32.2% to 47% of what you spend")
    landing.get_by_label("What you pay providers").fill("-5")
    expect(told).to_contain_text("$0")


def test_the_figures_of_an_audit_are_shown_and_nothing_is_sent(landing: Page, audited: Path) -> None:
    sent: list[str] = []
    landing.on("request", lambda request: sent.append(request.url))
    landing.get_by_label(RESULT).set_input_files(audited)
    found = landing.get_by_role("region", name="From your log", exact=True)
    expect(found).to_contain_text("60 calls")
    report = json.loads(audited.read_text())
    exact = next(part for part in report["parts"] if part["name"] == "exact")
    row = found.get_by_role("row", name="Identical requests")
    assert Decimal(exact["cents"]["hopeful"]) > 0
    expect(row).to_contain_text(dollars(Decimal(exact["cents"]["hopeful"])))
    expect(found).to_contain_text(report["warnings"][0])
    assert sent == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not what"),
        ('{"prompt": "one"}\n{"prompt": "two"}', "not what"),
        ("[]", "not what"),
        ('{"version": 99, "log": {}, "parts": []}', "version 99"),
        ('{"version": 2, "log": {"calls": 1, "cents": "NaN"}, "parts": []}', "damaged"),
        ('{"version": 2, "log": {"calls": 1, "cents": "0"}, "parts": []}', "no call whose cost is known"),
        (" " * 1_100_000, "too large"),
    ],
    ids=["empty", "a log", "a list", "another version", "no number", "no cost", "too large"],
)
def test_a_file_that_is_no_audit_is_refused_in_words(landing: Page, tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "audit.json"
    file.write_text(text)
    landing.get_by_label(RESULT).set_input_files(file)
    expect(landing.get_by_role("alert").filter(has_text=reason)).to_be_visible()
    expect(landing.get_by_role("region", name="From your log", exact=True)).to_have_count(0)


def test_what_a_file_says_is_text_and_nothing_else(landing: Page, audited: Path, tmp_path: Path) -> None:
    report = json.loads(audited.read_text())
    hostile = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    spoiled = tmp_path / "audit.json"
    spoiled.write_text(json.dumps({**report, "warnings": [hostile, 7, None]}))
    landing.get_by_label(RESULT).set_input_files(spoiled)
    expect(landing.get_by_text(hostile)).to_be_visible()
    assert landing.title() == "AI Cost Optimizer"
