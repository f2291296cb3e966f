"""What is around every page."""

from playwright.sync_api import expect
from tests.browser.conftest import Visit
from tests.browser.plant import PASSWORD


def test_a_page_is_shown_after_the_login_that_it_takes(visit: Visit) -> None:
    page = visit("/inspections?serial=C-0004", "")
    page.get_by_label("Name").fill("olga")
    page.get_by_label("Password").first.fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).not_to_be_empty()
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/inspections?serial=C-0004")


def test_the_menu_has_what_a_role_may_see(visit: Visit) -> None:
    operator = visit("/", "olga").get_by_role("navigation")
    expect(operator.get_by_role("link", name="Review")).to_be_visible()
    expect(operator.get_by_role("link", name="Admin")).to_have_count(0)
    expect(visit("/", "ada").get_by_role("navigation").get_by_role("link", name="Admin")).to_be_visible()


def test_it_speaks_the_browsers_language(visit: Visit) -> None:
    expect(visit("/", language="de-AT").get_by_role("link", name="Prüfungen")).to_be_visible()


def test_a_phone_shows_all_columns_of_a_table(visit: Visit) -> None:
    page = visit("/health/storage", size={"width": 390, "height": 844})
    tables = page.locator(".scroll:has(.stacked)")
    expect(tables.first).to_be_visible()
    assert all(table.evaluate("table => table.scrollWidth <= table.clientWidth") for table in tables.all())
    expect(page.locator("td[data-name='Kept as']").first).to_be_visible()
