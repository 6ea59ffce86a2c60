"""The parts of the admins' desk that look after the server: rooms, API keys, limits, health; and signing in at an OpenID
provider, in Chromium against the real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.client_web.browser import by, holds, phase
from tests.client_web.conftest import CLIENT
from tests.client_web.test_desk import CUT_OFF, PASSWORD, Check, add_person, check, page, server, set_up
from tests.client_web.test_page_access import AXE, LOOKS, VIOLATIONS
from tests.server.accounts.provider import CLIENT as CLIENT_ID
from tests.server.accounts.provider import SECRET, Provider, provider
from tests.server.call.serving import Running, in_thread, running

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["check", "page", "server"]
pytestmark = pytest.mark.timeout(240)


def test_rooms_keys_limits_and_health(page: Page, server: Running, check: Check) -> None:
    set_up(page, server)
    bo = add_person(page, "Bo", "bo")

    page.click(by("to-rooms"))
    page.wait_for_selector('[data-testid=rooms] li:has-text("The first room")')
    page.click(by("add-room"))
    page.fill(by("room-name"), "Monday meeting")
    check("add a room")
    page.click(by("add-room-submit"))
    row = page.wait_for_selector('[data-testid=rooms] li:has-text("Monday meeting")')
    assert row is not None and "Of Grace" in row.inner_text() and "Nobody in it" in row.inner_text()
    room = str(row.get_attribute("data-testid")).removeprefix("room-")
    assert page.locator("[data-testid^=end-]:visible").count() == 0, "nobody is there to be sent out"
    check("rooms")
    page.click(by(f"links-{room}"))
    page.wait_for_function("() => document.querySelector('[data-testid=link-viewer]')?.value.includes('/room/')")
    link = page.input_value(by("link-viewer"))
    check("links of a room")
    page.click(by("renew-links"))
    check("new links")
    page.click(by("confirm-yes"))
    page.wait_for_function(
        "(old) => ![old, undefined].includes(document.querySelector('[data-testid=link-viewer]')?.value)", arg=link
    )
    page.keyboard.press("Escape")
    page.click(by(f"delete-{room}"))
    page.click(by("confirm-yes"))
    page.wait_for_selector(by(f"room-{room}"), state="detached")

    page.click(by("to-keys"))
    page.wait_for_selector(by("no-keys"))
    page.click(by("add-key"))
    page.fill(by("key-name"), "the payroll's script")
    page.select_option(by("key-owner"), bo)
    check("make a key")
    page.click(by("add-key-submit"))
    page.wait_for_function("() => document.querySelector('[data-testid=link-key]')?.value.startsWith('vv_')")
    key = page.input_value(by("link-key"))
    check("a key is shown this once")
    page.keyboard.press("Escape")
    page.wait_for_selector(by("key-dialog"), state="detached")
    page.wait_for_selector('[data-testid=keys] li:has-text("Of Bo")')
    assert key not in page.content()
    check("keys")
    page.click("[data-testid^=delete-]")
    page.click(by("confirm-yes"))
    page.wait_for_selector(by("no-keys"))

    page.click(by("to-limits"))
    page.wait_for_selector(f"{by('limits')} >> visible=true")
    page.fill(by("limit-jobs"), "0")
    page.click(by("limits-submit"))
    assert page.eval_on_selector(by("limit-jobs"), "(input) => !input.validity.valid")
    page.fill(by("limit-jobs"), "2")
    page.click(by("limits-submit"))
    page.wait_for_selector(by("toast", "The limits are saved"))
    check("limits")
    page.evaluate(
        """async () => fetch("/api/limits", {method: "PATCH", body: '{"avatars": 7}',
          headers: {"content-type": "application/json",
        authorization: `Bearer ${sessionStorage.getItem("visavis.token")}`}})"""
    )  # another admin
    page.fill(by("limit-jobs"), "3")
    page.click(by("limits-submit"))
    page.wait_for_selector(by("limits-trouble", "Somebody else has changed"))
    holds(page, "limit-avatars", "7")
    holds(page, "limit-jobs", "2")
    check("limits that somebody else has changed")

    page.click(by("to-health"))
    page.wait_for_selector(by("health", "1 open of 1"))
    check("health")
    page.click(by("to-audit"))
    page.wait_for_selector(by("audit", "changed the limits"))
    with page.context.new_page() as docs:  # what programs may ask
        docs.goto(server.base + "/docs")
        docs.evaluate(AXE.read_text())
        for width, height, scheme, rules in LOOKS:
            docs.set_viewport_size({"width": width, "height": height})
            docs.emulate_media(color_scheme=scheme)
            docs.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
            assert docs.evaluate(VIOLATIONS, rules) == [], f"docs, {scheme}"
            assert not docs.evaluate(CUT_OFF), f"docs, {width} pixels wide"
    assert page.locator("[data-testid=audit] li", has_text="deleted a room").count() == 1
    check("audit log")


@pytest.fixture
def there() -> Iterator[Provider]:
    """A provider whose page sends everybody back at once."""
    with provider() as found:

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                back = found.sign_in(found.metadata["authorization_endpoint"] + self.path.partition("/authorize")[2])
                self.send_response(302)
                redirect = found.codes[back["code"]]["redirect_uri"]
                self.send_header("location", f"{redirect}?code={back['code']}&state={back['state']}")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        pages = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        found.metadata["authorization_endpoint"] = f"http://127.0.0.1:{pages.server_port}/authorize"
        thread = threading.Thread(target=pages.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield found
        pages.shutdown()
        pages.server_close()
        thread.join()


def test_signing_in_at_a_provider(page: Page, built_page: None, there: Provider, check: Check, tmp_path: Path) -> None:
    settings = {"oidc_issuer": there.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": SECRET}
    serving = running(CLIENT / "dist", state=tmp_path, no_passwords=True, oidc_admin="ada@example.org", **settings)
    with in_thread(serving) as server:
        assert server.addresses.setup == ""
        page.goto(server.base + "/admin")
        page.wait_for_selector(by("to-provider", "Sign in with 127.0.0.1"))
        assert page.locator(by("password")).count() == 0
        check("sign-in at the provider")
        page.click(by("to-provider"))
        phase(page, "desk")
        page.wait_for_url(server.base + "/admin")
        page.click(by("account"))
        page.click(by("sign-out"))
        phase(page, "sign-in")
        there.user = {"sub": "bo-1", "name": "Bo"}
        page.click(by("to-provider"))
        page.wait_for_selector(by("sign-in-trouble", "Only admins"))
        page.goto(server.base + "/admin#sign-in/disabled")
        page.reload()
        page.wait_for_selector(by("sign-in-trouble", "disabled"))
        check("sign-in refused")

        page.goto(server.addresses.person)  # a member uses the account in a room
        page.click(by("lobby-sign-in"))
        page.wait_for_selector(by("lobby-sign-out"))
        page.wait_for_url(server.addresses.person)
        page.set_viewport_size({"width": 360, "height": 740})
        assert not page.evaluate(CUT_OFF)
        page.click(by("lobby-sign-out"))
        page.wait_for_selector(by("lobby-sign-in"))


def test_an_account_is_linked_with_a_sign_in_at_the_provider(
    page: Page, built_page: None, there: Provider, check: Check, tmp_path: Path
) -> None:
    settings = {"oidc_issuer": there.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": SECRET}
    with in_thread(running(CLIENT / "dist", state=tmp_path, **settings)) as server:
        set_up(page, server)
        add_person(page, "Bo", "bo")
        page.click(by("account"))
        page.fill(by("link-password"), "not the password")
        page.click(by("link-submit"))
        page.wait_for_selector(by("link-trouble", "The password of this account was expected"))
        check("your account")
        page.fill(by("link-password"), PASSWORD)
        page.click(by("link-submit"))
        page.wait_for_selector(by("toast", "Your account is linked"))
        phase(page, "desk")
        page.click(by("account"))
        page.wait_for_selector(by("linked", "127.0.0.1"))
        check("a linked account")
        page.click(by("sign-out"))
        page.click(by("to-provider"))
        phase(page, "desk")  # as the admin that it is
        page.click(by("account"))
        page.click("[data-testid^=unlink-]")
        page.wait_for_selector(by("account-outcome", "It is unlinked"))
        page.click("summary")
        for field, value in (("current", PASSWORD), ("next", PASSWORD + "!"), ("next-password-again", PASSWORD + "!")):
            page.fill(by(field if "again" in field else f"{field}-password"), value)
        check("another password")
        page.click(by("own-password-submit"))
        page.wait_for_selector(by("account-outcome", "The password is changed"))
        page.click(by("sign-out"))
        page.click(by("to-provider"))
        page.wait_for_selector(by("sign-in-trouble", "Only admins"))  # an account of its own

        page.goto(server.addresses.person)  # somebody for whom an admin has made an avatar
        page.click(by("lobby-sign-in"))
        page.fill(by("login"), "bo")
        page.fill(by("password"), PASSWORD + "?")
        page.click(by("sign-in-submit"))
        page.wait_for_selector(by("sign-in-trouble", "do not fit"))
        check("signing in before a call")
        page.fill(by("password"), PASSWORD)
        page.click(by("sign-in-submit"))
        page.click(by("lobby-account"))
        page.wait_for_selector(by("account-dialog", "Signed in as bo"))
        page.wait_for_selector(by("link"))
        page.click(by("sign-out-everywhere"))
        page.wait_for_selector(by("lobby-sign-in"))
