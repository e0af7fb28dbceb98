"""The sign-in field while one types, against the real host."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.e2e.laboratory import Laboratory
from tests.e2e.search import Search
from tests.lab.network import SIGN_IN_ONE_WORKER


def asked_of_the_host(lab: Laboratory) -> list[str]:
    """Return what our service has asked of the PDS and of the directory so far."""
    log = (lab.network.directory / "nginx" / "access.log").read_text().splitlines()
    hosts = ("pds.test ", "plc.test ")
    return [line for line in log if line.startswith(hosts) and "Latchkey" in line]


def test_account_is_suggested_looked_up_ahead_and_signs_in_with_one_request(
    one_worker: Laboratory, search: Search
) -> None:
    account = one_worker.new_account()
    search.known[account.handle] = "Alice Liddell"
    with one_worker.visitor() as visitor:
        visitor.open_login()
        page = visitor.page
        field = page.get_by_role("combobox", name="Your Atmosphere account")
        field.press_sequentially(account.handle[:5])
        row = page.get_by_role("option", name="Alice Liddell")
        expect(row.locator("img")).to_have_js_property("naturalWidth", 1)
        with page.expect_response("**/auth/lookup") as looked_up:
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
        assert looked_up.value.status == 204
        expect(field).to_have_value(account.handle)
        before = len(asked_of_the_host(one_worker))
        seen = {urlsplit(response.url).hostname for response in visitor.responses}
        assert seen == {SIGN_IN_ONE_WORKER}, "no keystroke goes to another host"

        visitor.press("Sign in")
        page.wait_for_url(f"{visitor.host_url}/oauth/authorize?*")
        asked = asked_of_the_host(one_worker)[before:]
        assert {line.split()[2] for line in asked} <= {"/oauth/par"}, asked
        visitor.approve(account)
        assert visitor.path == "/auth/signup"


def test_email_address_leads_to_the_host_in_the_language_of_the_menu(
    one_worker: Laboratory,
) -> None:
    with one_worker.visitor() as visitor:
        visitor.open_login()
        page, notice = visitor.page, visitor.page.locator("#notice")
        page.get_by_label("Language").select_option("es")
        visitor.press("Change")
        field = page.get_by_role("combobox", name="Su cuenta Atmosphere")
        field.fill("@alice@mastodon.example")
        visitor.press("Iniciar sesión")
        expect(notice).to_contain_text("Eso es una dirección del fediverso")
        field.fill("alice@gmail.com")
        visitor.press("Iniciar sesión")
        expect(notice).to_contain_text("Eso es una dirección de correo")
        visitor.press("Continuar en pds.test")

        page.wait_for_url(f"{visitor.host_url}/oauth/authorize?*")
        theirs = page.get_by_role("button", name="Iniciar sesión", exact=True)
        expect(theirs).to_be_visible()
