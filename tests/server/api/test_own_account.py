"""The own password, and linking an account with a sign-in at the OpenID provider."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.accounts.oidc import OpenIdProvider, ProviderSettings
from tests.server.accounts.provider import CLIENT, SECRET, Provider, provider
from tests.server.api.serving import PASSWORD, Api, api, bearer, is_problem

BACK = "http://testserver/api/sign-in/callback"
LINKS = "/api/me/identities"


@pytest.fixture(scope="module")
def there() -> Iterator[Provider]:
    with provider() as found:
        yield found


@pytest.fixture
def site(tmp_path: Path, there: Provider) -> Iterator[Api]:
    there.user = {"sub": "ada-1", "name": "Ada", "email": "ada@example.org", "email_verified": True}
    ours = OpenIdProvider(ProviderSettings(there.issuer, CLIENT, SECRET, BACK), "s" * 64)
    with api(tmp_path, provider=ours) as server:
        server.client.follow_redirects = False
        yield server


def account(server: Api, login: str = "ada@example.org") -> tuple[str, dict[str, str]]:
    person = server.service.people.add(login, "Ada", PASSWORD)
    return person.id, bearer(server.service.people.sign_in(login, PASSWORD))


def begin(server: Api, headers: dict[str, str], **values: Any) -> httpx.Response:
    return server.client.post(LINKS, headers=headers, json={"password": PASSWORD} | values)


def come_back(server: Api, there: Provider, address: str) -> str:
    back = server.client.get("/api/sign-in/callback", params=there.sign_in(address))
    assert "visavis-signed-in=" not in back.headers.get("set-cookie", "") or "#sign-in/done" in back.headers["location"]
    return str(back.headers["location"])


def sign_in(server: Api, there: Provider) -> str:
    """Who that is."""
    address = server.client.get("/api/sign-in/begin").headers["location"]
    assert come_back(server, there, address) == "/admin#sign-in/done"
    token = server.client.post("/api/sign-in/token").json()["token"]
    return str(server.client.get("/api/me", headers=bearer(token)).json()["id"])


def linked(server: Api, headers: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.client.get(LINKS, headers=headers).json()["items"]
    return found


def test_who_is_signed_in_on_both_sides_links_them_and_unlinks_them(site: Api, there: Provider) -> None:
    me, headers = account(site)
    address = begin(site, headers, back="/room/abc").json()["address"]
    assert come_back(site, there, address) == "/room/abc#sign-in/linked"
    (identity,) = linked(site, headers)
    assert identity["provider"] == "127.0.0.1" and sign_in(site, there) == me
    assert site.client.get("/api/me", headers=headers).json()["signs_in"] == "password"
    data = site.client.get("/api/me/export", headers=headers).content
    assert json.loads(zipfile.ZipFile(BytesIO(data)).read("about.json"))["sign_ins"][0]["subject"] == "ada-1"
    _, other = account(site, "eve")
    assert is_problem(site.client.delete(f"{LINKS}/{identity['id']}", headers=other), 409)
    again = bearer(site.client.delete(f"{LINKS}/{identity['id']}", headers=headers).json()["token"])
    assert is_problem(site.client.get(LINKS, headers=headers), 401), "sign-ins that came by it have ended"
    assert linked(site, again) == [] and sign_in(site, there) != me


def test_an_address_that_is_the_same_links_nothing_and_an_account_is_not_taken_over(site: Api, there: Provider) -> None:
    me, headers = account(site)
    owner = sign_in(site, there)
    assert owner != me
    address = begin(site, headers).json()["address"]
    assert come_back(site, there, address) == "/admin#sign-in/taken"
    assert linked(site, headers) == [] and sign_in(site, there) == owner


@pytest.mark.parametrize("how", ["password", "guest", "provider", "back", "nobody"])
def test_what_begins_nothing(site: Api, there: Provider, how: str) -> None:
    _, headers = account(site)
    if how == "guest":
        headers = site.person("guest")[1]
    elif how == "provider":
        site.client.get("/api/sign-in/callback", params=there.sign_in(site.client.get("/api/sign-in/begin").headers["location"]))
        headers = bearer(site.client.post("/api/sign-in/token").json()["token"])
    values = {"password": {"password": "another one"}, "back": {"back": "https://evil.example"}}.get(how, {})
    reply = begin(site, {} if how == "nobody" else headers, **values)
    assert is_problem(reply, {"back": 422, "nobody": 401}.get(how, 403)) and "set-cookie" not in reply.headers


def test_another_browser_and_who_was_signed_out_meanwhile_link_nothing(site: Api, there: Provider) -> None:
    me, headers = account(site)
    address = begin(site, headers).json()["address"]
    kept = dict(site.client.cookies)
    site.client.cookies.clear()
    assert come_back(site, there, address) == "/admin#sign-in/refused"
    site.client.cookies.update(kept)
    site.service.people.sign_out_everywhere(me)
    assert come_back(site, there, address) == "/admin#sign-in/refused"
    assert linked(site, bearer(site.service.people.sign_in("ada@example.org", PASSWORD))) == []


def test_the_password_is_not_guessed_here(site: Api) -> None:
    _, headers = account(site)
    seen = [begin(site, headers, password="a guess").status_code for _ in range(12)]
    assert seen[:10] == [403] * 10 and seen[-1] == 429


def test_the_own_password_is_changed_by_who_knows_it(server: Api) -> None:
    me, headers = account(server)
    place, change = "/api/me/password", {"current": PASSWORD, "password": "another long password"}
    assert is_problem(server.client.put(place, headers=headers, json=change | {"current": "a guess"}), 403)
    assert is_problem(server.client.put(place, headers=headers, json=change | {"password": "short"}), 422)
    assert is_problem(server.client.put(place, headers=server.person("guest")[1], json=change), 403)
    token = server.client.put(place, headers=headers, json=change).json()["token"]
    assert is_problem(server.client.get("/api/me", headers=headers), 401)
    assert server.client.get("/api/me", headers=bearer(token)).json()["id"] == me
    assert is_problem(server.client.post("/api/sessions", json={"login": "ada@example.org", "password": PASSWORD}), 401)
    assert is_problem(begin(server, bearer(token)), 404), "there is no provider"
