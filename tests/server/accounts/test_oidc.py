from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from server.accounts import oidc
from server.accounts.oidc import (
    LIFETIME,
    MAX_ANSWER,
    OpenIdProvider,
    ProviderError,
    ProviderSettings,
    SignInRefusedError,
    Subject,
    is_safe_address,
)
from tests.server.accounts.provider import CLIENT, SECRET, Provider, provider

OURS = "s" * 64


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with provider() as found:
        yield found


@pytest.fixture
def there(running: Provider) -> Provider:
    """The provider, as at first."""
    values = Provider(int(running.issuer.rpartition(":")[2]))
    vars(running).update({name: value for name, value in vars(values).items() if name not in ("key", "keys")})
    running.algorithm = running.key.alg
    return running


def ours(there: Provider, **values: Any) -> OpenIdProvider:
    settings = {"issuer": there.issuer, "client_id": CLIENT, "client_secret": SECRET, "redirect": "https://x/back"} | values
    clock = settings.pop("clock", time.time)
    return OpenIdProvider(ProviderSettings(**settings), OURS, clock)


def through(found: OpenIdProvider, there: Provider) -> Subject:
    address, cookie = found.begin()
    return found.finish(cookie, **there.sign_in(address))


def test_who_signs_in_there_is_known_by_issuer_and_subject(there: Provider) -> None:
    found = ours(there)
    assert through(found, there) == Subject(there.issuer, "ada-1", "Ada", "ada@example.org") and found.name == "127.0.0.1"
    there.user = {"sub": "bo-1", "preferred_username": "bo", "email": "bo@example.org"}  # an address that nobody has verified
    assert through(found, there) == Subject(there.issuer, "bo-1", "bo", "")
    assert there.asked.count("/keys") == 1 and there.asked.count("/.well-known/openid-configuration") == 1


def no_algorithm(claims: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "none"}, claims)]
    return ".".join([*parts, ""])


def by_secret(secret: str) -> Any:
    return lambda claims: jwt.encode(claims, secret.ljust(64, "x"), "HS256")


NOW = int(time.time())
LIES: list[dict[str, Any]] = [
    {"nonce": "another"}, {"nonce": None}, {"aud": "another"}, {"aud": None}, {"aud": ["another", CLIENT]},
    {"aud": ["another", CLIENT], "azp": "another"}, {"azp": "another"}, {"iss": "https://other.example"}, {"iss": None},
    {"exp": NOW - 3600}, {"exp": None}, {"iat": NOW + 3600}, {"iat": None}, {"sub": None}, {"sub": ""}, {"sub": 7},
    {"sub": "x" * 256},
    {"at_hash": "another"}, {"exp": "never"},
]  # fmt: skip


@pytest.mark.parametrize("lies", LIES, ids=str)
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(there: Provider, lies: dict[str, Any]) -> None:
    there.lies = lies
    with pytest.raises(SignInRefusedError, match="ID token"):
        through(ours(there), there)


@pytest.mark.parametrize(
    "raw", [no_algorithm, by_secret(SECRET), by_secret(CLIENT), by_secret(OURS), lambda _: "", lambda _: "a.b.c"]
)
def test_an_id_token_that_the_provider_has_not_signed_is_refused(there: Provider, raw: Any) -> None:
    there.raw = raw
    with pytest.raises(SignInRefusedError, match="ID token"):
        through(ours(there), there)


def test_keys_change_and_one_that_was_not_published_is_none(there: Provider) -> None:
    found = ours(there)
    through(found, there)
    there.new_key("ES256")
    assert through(found, there).subject == "ada-1"
    there.new_key("RS256", told=False)
    for _ in range(6):
        with pytest.raises(SignInRefusedError):
            through(found, there)
    assert there.asked.count("/keys") <= oidc.LOOKS  # and who makes keys up does not make us ask without end
    there.new_key()


def test_a_sign_in_is_one_browsers_once_and_for_a_while(there: Provider) -> None:
    now = [time.time()]
    found = ours(there, clock=lambda: now[0])
    (address, cookie), (other, others) = found.begin(), found.begin()
    back = there.sign_in(address)
    for wrong in (others, "", "x", jwt.encode({"aud": oidc.AUDIENCE, "state": back["state"]}, OURS), cookie[:-2] + "xx"):
        with pytest.raises(SignInRefusedError):
            found.finish(wrong, **back)
    with pytest.raises(SignInRefusedError):
        found.finish(cookie, there.sign_in(other)["state"], back["code"])
    with pytest.raises(SignInRefusedError):  # somebody else's code: the verifier does not fit
        found.finish(cookie, back["state"], there.sign_in(other)["code"])
    assert found.finish(cookie, **back).subject == "ada-1"
    with pytest.raises(SignInRefusedError, match="does not know"):
        found.finish(cookie, **back)
    now[0] += LIFETIME + 1
    with pytest.raises(SignInRefusedError, match="too long"):
        found.finish(cookie, **there.sign_in(address))


@pytest.mark.parametrize(
    ("place", "status", "data"),
    [
        (place, status, data)
        for place in ("/.well-known/openid-configuration", "/keys", "/token")
        for status, data in ((500, b""), (200, b"<html>"), (200, b"[]"), (200, b"{}"), (200, b'"x"'))
    ] + [("/keys", 200, b" " * (MAX_ANSWER + 1)), ("/keys", 200, b'{"keys": [7]}'), ("/keys", 200, b"[" * 9999)],
)  # fmt: skip
def test_a_provider_that_does_not_work_is_a_sentence(there: Provider, place: str, status: int, data: bytes) -> None:
    there.answers[place] = (status, data)
    with pytest.raises((ProviderError, SignInRefusedError)) as caught:
        through(ours(there), there)
    assert len(str(caught.value)) < 200 and "\n" not in str(caught.value)


def test_a_provider_that_is_not_there_or_calls_itself_otherwise(there: Provider) -> None:
    there.metadata["issuer"] = "https://other.example"
    with pytest.raises(ProviderError, match="another name"):
        ours(there).begin()
    there.metadata["issuer"], there.metadata["authorization_endpoint"] = there.issuer, "http://other.example/"
    with pytest.raises(ProviderError, match="where to sign in"):
        ours(there).begin()
    with pytest.raises(ProviderError, match="cannot be reached"):
        ours(there, issuer="http://127.0.0.1:9").begin()
    there.metadata["authorization_endpoint"] = f"{there.issuer}/authorize"
    with pytest.raises(SignInRefusedError):
        through(ours(there, client_secret="wrong"), there)


@pytest.mark.parametrize(
    ("place", "safe"),
    [("https://a.example/x", True), ("http://localhost:80", True), ("http://a.example", False), ("", False), ("ftp://a", False),
     ("https://", False)],
)  # fmt: skip
def test_what_is_sent_goes_over_https(place: str, safe: bool) -> None:
    assert is_safe_address(place) is safe
