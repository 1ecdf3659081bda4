from browser.conftest import PASSWORD, Product, SignIn, fill_in
from playwright.sync_api import BrowserContext, expect


def test_who_is_not_signed_in_is_sent_to_the_sign_in_and_back(product: Product, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{product.running.url}/overview/?from=mail")
    page.wait_for_url("**/sign-in/?next=*")
    fill_in(page, "ann@example.com", PASSWORD)
    page.wait_for_url("**/overview/?from=mail")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_a_wrong_password_is_refused_in_words(product: Product, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{product.running.url}/sign-in/")
    fill_in(page, "ann@example.com", "something else")
    expect(page.get_by_text("The email or the password is not right.")).to_be_visible()
    assert "/sign-in/" in page.url


def test_a_sign_in_leads_to_no_other_host(product: Product, context: BrowserContext) -> None:
    for wanted in ("https://example.com/", "//example.com/overview/", "/\\\\example.com", "javascript:alert(1)"):
        page = context.new_page()
        page.goto(f"{product.running.url}/sign-in/?next={wanted}")
        if page.get_by_label("Email").is_visible():
            fill_in(page, "ann@example.com", PASSWORD)
        page.wait_for_url(f"{product.running.url}/**")
        expect(page.get_by_role("main")).to_be_visible()
        assert page.url.startswith(product.running.url)
        page.close()


def test_after_the_sign_out_nothing_is_left_to_see(sign_in: SignIn, product: Product) -> None:
    product.add_person("ben@example.com")
    page = sign_in(email="ben@example.com")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.wait_for_url("**/sign-in/**")
    page.goto(page.url.partition("/sign-in/")[0] + "/overview/")
    page.wait_for_url("**/sign-in/**")
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('sb-'))") == []
