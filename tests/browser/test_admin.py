"""Admin: somebody is added who is then refused by role, a key is shown once, and the audit trail names both."""

import re

from playwright.sync_api import expect
from tests.browser.conftest import Visit
from tests.browser.plant import PASSWORD


def test_somebody_is_added_and_refused_by_role(visit: Visit) -> None:
    page = visit("/admin", "ada")
    page.get_by_label("Name", exact=True).fill("bob")
    page.get_by_label("First password").first.fill(PASSWORD)
    told = page.get_by_role("status").filter(has_text="A person of this role may")
    expect(told).to_contain_text("review parts")
    expect(told).not_to_contain_text("manage models")
    page.get_by_role("combobox", name="Role").first.click()
    page.get_by_role("option", name="quality engineer").click()
    expect(told).to_contain_text("manage models")
    page.get_by_role("combobox", name="Role").first.click()
    page.get_by_role("option", name="operator").click()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="bob")).to_contain_text("may log in")
    bob = visit("/admin", "bob")
    expect(bob.get_by_role("alert")).to_contain_text("administer")
    bob.goto("/account")
    expect(bob.get_by_text("review parts, label pictures")).to_be_visible()
    expect(bob.get_by_text("manage users")).to_have_count(0)
    page.get_by_role("row").filter(has_text="bob").get_by_role("button", name="Lock").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Lock").click()
    expect(page.get_by_role("row").filter(has_text="bob")).to_contain_text("locked")
    bob.goto("/account")
    bob.wait_for_url("**/login?to=*")


def test_somebody_is_renamed_in_german(visit: Visit) -> None:
    page = visit("/admin", "ada", language="de")
    token = page.locator('meta[name="csrf"]').get_attribute("content") or ""
    person = {"name": "eva", "role": "operator", "password": PASSWORD}
    assert page.request.post("/api/v1/users", data=person, headers={"X-CSRF-Token": token}).ok
    page.reload()
    page.get_by_role("row", name="eva").get_by_role("button", name="Umbenennen").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Laufende Anmeldungen von eva enden.")
    dialog.get_by_label("Name").fill("olga")
    dialog.get_by_role("button", name="Umbenennen").click()
    expect(page.get_by_text("Ein Konto olga gibt es schon")).to_be_visible()
    page.get_by_role("row", name="eva").get_by_role("button", name="Umbenennen").click()
    dialog.get_by_label("Name").fill("eva berg")
    dialog.get_by_role("button", name="Umbenennen").click()
    expect(page.get_by_role("row", name="eva berg")).to_contain_text("darf sich anmelden")


def test_a_key_is_shown_once_and_the_trail_names_it(visit: Visit) -> None:
    page = visit("/admin/keys", "ada")
    page.get_by_label("What it is for").fill("press line 3")
    page.get_by_role("button", name="Make the key").click()
    shown = page.get_by_label("Key", exact=True)
    expect(shown).to_have_value(re.compile("^sk_"))
    secret = shown.input_value()
    page.get_by_role("button", name="I have it").click()
    expect(shown).to_have_count(0)
    page.reload()
    row = page.get_by_role("row").filter(has_text="press line 3")
    expect(row).to_contain_text(secret[:10])
    assert secret not in page.content()
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("revoked")
    page.goto("/admin/audit?who=ada")
    expect(page.get_by_role("row").filter(has_text="press line 3").first).to_contain_text("ada")
    assert secret not in page.content()
    page.get_by_role("button", name="Prove it").click()
    expect(page.get_by_text("whole", exact=True)).to_be_visible()
    page.goto("/admin/settings")
    expect(page.get_by_role("row").filter(has_text="TCP port")).to_contain_text("changed")


def test_a_webhook_is_added_and_tells_why_it_fails(visit: Visit) -> None:
    page = visit("/admin/webhooks", "ada", language="de")
    page.get_by_label("https://").fill("https://127.0.0.1:9/x")
    page.get_by_role("button", name="Hinzufügen").click()
    expect(page.locator(".q-notification")).to_be_visible()  # a private address, in the server's own words
    expect(page.get_by_text("Noch wird niemandem etwas gemeldet.")).to_be_visible()
