"""What the pages about money and about the cache say and do."""

from browser.conftest import Product, SignIn
from playwright.sync_api import expect

HOSTILE = "<img src=x onerror=\"document.body.dataset.hit='1'\">"


def test_savings_that_are_not_measured_say_so_and_the_chart_is_a_table_too(sign_in: SignIn, product: Product) -> None:
    product.ask("Which month comes after May?")
    page = sign_in("/savings/")
    expect(page.get_by_text("Nothing is held out, so nothing is measured.")).to_be_visible()
    expect(page.get_by_text("less than the same tokens at the baseline model's list price")).to_be_visible()
    chart = page.get_by_role("figure", name="Saved each day")
    expect(chart.get_by_role("application")).to_be_visible()
    chart.get_by_role("button", name="Show as a table").click()
    expect(chart.get_by_role("columnheader", name="Choice of the model")).to_be_visible()
    assert chart.get_by_role("row").count() == 31  # the names, and 30 days


def test_a_kept_answer_is_found_read_and_deleted(sign_in: SignIn, product: Product) -> None:
    product.ask(f"Which animal is the platypus? {HOSTILE}")
    page = sign_in("/cache/")
    page.get_by_label("Words of the question").fill("platypus")
    page.get_by_role("button", name="Search").click()
    found = page.get_by_role("region", name="Kept answers").get_by_role("link")
    expect(found).to_have_count(1)
    found.click()
    expect(page.get_by_text(HOSTILE)).to_be_visible()
    assert page.evaluate("document.body.dataset.hit") is None
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("The answer was deleted.")).to_be_visible()
    assert kept(product, "platypus") == 0


def test_two_questions_that_differ_in_a_number_are_told_why_one_answer_does_not_serve_both(sign_in: SignIn) -> None:
    page = sign_in("/cache/explain/")
    page.get_by_label("The new question").fill("What is 17 times 23?")
    page.get_by_label("The question whose answer is kept").fill("What is 17 times 24?")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="The kept answer would not be served")).to_be_visible()
    guards = page.get_by_role("region", name="Guards")
    assert guards.get_by_role("row").filter(has_text="numbers").filter(has_text="Yes").count() == 1


def test_a_lifetime_that_is_set_holds_and_one_that_makes_no_sense_is_refused(sign_in: SignIn, product: Product) -> None:
    product.ask("Which planet is the largest?")
    page = sign_in("/cache/")
    page.get_by_role("button", name="Change lifetime").first.click()
    page.get_by_label("Time", exact=True).fill("0")
    page.get_by_role("button", name="Set lifetime").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("ttl_seconds")
    page.get_by_label("Time", exact=True).fill("3")
    page.get_by_label("Unit").select_option("hours")
    page.get_by_role("button", name="Set lifetime").click()
    expect(page.get_by_text("3 hours", exact=True)).to_be_visible()
    with product.running.client() as client:
        found = client.request("GET", "/v1/cache/stats")["namespaces"]
    assert 3 * 3600 in {one["ttl_seconds"] for one in found}


def kept(product: Product, words: str) -> int:
    with product.running.client() as client:
        return len(client.request("GET", "/v1/cache/entries", params={"q": words})["data"])
