from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from server.accounts.oidc import OpenIdProvider, ProviderSettings
from server.store.tables import Person
from tests.server.accounts.provider import CLIENT, SECRET, Provider, provider
from tests.server.api.serving import PASSWORD, Api, api, bearer, is_problem

BACK = "http://testserver/api/sign-in/callback"


@pytest.fixture(scope="module")
def there() -> Iterator[Provider]:
    with provider() as found:
        yield found


@pytest.fixture
def site(tmp_path: Path, there: Provider) -> Iterator[Api]:
    """An API whose people sign in there, and not with passwords."""
    there.user = {"sub": "ada-1", "name": "Ada", "email": "Ada@Example.org", "email_verified": True}
    ours = OpenIdProvider(ProviderSettings(there.issuer, CLIENT, SECRET, BACK), "s" * 64)
    with api(tmp_path, provider=ours, passwords=False, admin_email="ada@example.org") as server:
        server.client.follow_redirects = False
        yield server


def sign_in(server: Api, there: Provider) -> str:
    """Through the provider and back: the outcome, or the token."""
    begun = server.client.get("/api/sign-in/begin")
    assert begun.status_code == 303 and "httponly" in begun.headers["set-cookie"].lower()
    back = server.client.get("/api/sign-in/callback", params=there.sign_in(begun.headers["location"]))
    place, _, outcome = back.headers["location"].partition("#sign-in/")
    assert back.status_code == 303 and place == "/admin"
    if outcome != "done":
        return outcome
    cookie = next(text for text in back.headers.get_list("set-cookie") if text.startswith("visavis-signed-in="))
    assert {"httponly", "samesite=strict", "path=/api/sign-in"} <= {part.strip().lower() for part in cookie.split(";")}
    return str(server.client.post("/api/sign-in/token").json()["token"])


def test_an_account_is_made_at_the_first_time_and_found_again(site: Api, there: Provider) -> None:
    first = site.client.get("/api/me", headers=bearer(sign_in(site, there))).json()
    assert (first["name"], first["role"], first["login"], first["signs_in"]) == ("Ada", "admin", None, "provider")
    there.user |= {"name": "Ada L.", "email": "other@example.org"}
    assert site.client.get("/api/me", headers=bearer(sign_in(site, there))).json() == first
    for sub, verified, role in (("eve-1", False, "member"), ("eve-2", True, "admin")):
        there.user = {"sub": sub, "email": "ada@example.org", "email_verified": verified}
        made = site.client.get("/api/me", headers=bearer(sign_in(site, there))).json()
        assert made["id"] != first["id"] and made["role"] == role  # the address decides only of a new account's role


@pytest.mark.parametrize(
    ("back", "place"), [("/room/a.b-c_d", "/room/a.b-c_d"), ("/admin", "/admin"), ("//evil.example", ""),
                        ("https://evil.example", ""), ("/room/../../x", ""), ("/room/a%0d%0ax", ""), ("/room/a?x=//y", "")],
)  # fmt: skip
def test_one_comes_back_to_the_page_and_nowhere_else(site: Api, there: Provider, back: str, place: str) -> None:
    begun = site.client.get("/api/sign-in/begin", params={"back": back})
    if not place:
        assert is_problem(begun, 422)
        return
    query = there.sign_in(begun.headers["location"])
    assert site.client.get("/api/sign-in/callback", params=query).headers["location"] == f"{place}#sign-in/done"


def test_the_token_is_fetched_once_and_only_by_who_came_back(site: Api, there: Provider) -> None:
    assert is_problem(site.client.post("/api/sign-in/token"), 401)
    sign_in(site, there)
    assert is_problem(site.client.post("/api/sign-in/token"), 401)


def test_another_browser_cannot_end_a_sign_in(site: Api, there: Provider) -> None:
    back = there.sign_in(site.client.get("/api/sign-in/begin").headers["location"])
    site.client.cookies.clear()
    assert site.client.get("/api/sign-in/callback", params=back).headers["location"].endswith("#sign-in/refused")
    for query in ({}, {"error": "access_denied", "state": back["state"]}, {"state": "x" * 600}):
        assert site.client.get("/api/sign-in/callback", params=query).status_code in (303, 422)
    with site.service.database.reading() as session:
        assert session.query(Person).count() == 0


def test_who_is_disabled_stays_out_and_a_provider_that_is_away_is_said(site: Api, there: Provider) -> None:
    me = site.client.get("/api/me", headers=bearer(sign_in(site, there))).json()["id"]
    with site.service.database.session() as session:
        session.get_one(Person, me).disabled = True
    assert sign_in(site, there) == "disabled"
    there.answers["/token"] = (500, b"")
    assert sign_in(site, there) in ("failed", "refused")
    del there.answers["/token"]
    there.answers["/.well-known/openid-configuration"] = (500, b"")
    object.__setattr__(site.service, "provider", OpenIdProvider(replace(site.service.provider._settings), "s" * 64))
    assert is_problem(site.client.get("/api/sign-in/begin"), 503)
    del there.answers["/.well-known/openid-configuration"]


def test_passwords_are_off(site: Api) -> None:
    assert site.client.get("/api/sign-in").json() == {"passwords": False, "provider": "127.0.0.1"}
    site.service.people.add("ada", "Ada", PASSWORD, "admin")
    assert is_problem(site.client.post("/api/sessions", json={"login": "ada", "password": PASSWORD}), 403)
    setup = {"key": site.service.setup_key, "login": "eve", "name": "Eve", "password": PASSWORD}
    assert is_problem(site.client.post("/api/setup", json=setup), 403)


def test_without_a_provider(server: Api) -> None:
    assert server.client.get("/api/sign-in").json() == {"passwords": True, "provider": ""}
    for path in ("begin", "callback"):
        assert is_problem(server.client.get(f"/api/sign-in/{path}", follow_redirects=False), 404)
