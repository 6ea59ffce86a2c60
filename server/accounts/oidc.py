"""Signing in at an OpenID provider: the authorization code flow of OpenID Connect Core 1.0, 3.1, with PKCE (RFC 7636).

What a sign-in needs between its two halves (state, nonce and the verifier of PKCE) is in a signed cookie of the browser that
began it, so that nobody can end another's, and the server keeps nothing for those who never come back.
"""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx
import jwt
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt as jose
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from models.errors import VisavisError
from server.accounts.tokens import ALGORITHM

SCOPE = "openid email profile"
SIGNATURES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
"""Of ID tokens: public keys only, so neither `none` nor our own secret."""
AUDIENCE = "visavis-sign-in"
LIFETIME = 600
"""Seconds that somebody may take to sign in at the provider."""
LEEWAY = 60
"""Seconds by which the provider's clock may differ."""
TIMEOUT = 10.0
MAX_ANSWER = 256 * 1024
"""Bytes of what the provider says of itself, and of its keys."""
METADATA_FOR, KEYS_EVERY = 3600.0, 10.0
"""Seconds that the provider's description is remembered, and between two looks for a key that is not known."""
AWAY = "the OpenID provider cannot be reached, or answers with something else; try again"
LOOKS = 3
"""At keys in `KEYS_EVERY`, so that made-up keys do not make us ask without end."""


class ProviderError(VisavisError):
    """The provider cannot be reached, or says what it must not."""


class SignInRefusedError(VisavisError):
    """This sign-in does not count: another browser's, too late, or not by the provider."""


@dataclass(frozen=True)
class ProviderSettings:
    """issuer: URL of the provider. client_id, client_secret: of this server there. redirect: where people come back to."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect: str


@dataclass(frozen=True)
class Subject:
    """Who has signed in. issuer and subject never change; email is empty unless the provider has verified it."""

    issuer: str
    subject: str
    name: str = ""
    email: str = ""


class OpenIdProvider:
    """One provider. Blocks while it is asked; safe to use from several threads."""

    def __init__(self, settings: ProviderSettings, secret: str, clock: Callable[[], float] = time.time) -> None:
        """secret: of the server, for the cookie."""
        self._settings, self._secret, self._clock = settings, secret, clock
        self._lock = threading.Lock()
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys = KeySet([])
        self._looked: list[float] = []

    @property
    def name(self) -> str:
        """Of the provider, for people."""
        return urlsplit(self._settings.issuer).hostname or ""

    @property
    def issuer(self) -> str:
        """As it calls itself."""
        return self._settings.issuer

    def begin(self, back: str = "", link: tuple[str, int] | None = None) -> tuple[str, str]:
        """The address to send somebody to, and the value of the cookie to come back with. back: where the page is. link: the
        account (id and generation of its tokens) that is to be linked with who signs in there. Raises `ProviderError`."""
        place, settings = self._endpoint("authorization_endpoint"), self._settings
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        address = prepare_grant_uri(
            place, settings.client_id, "code", settings.redirect, SCOPE, state, nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier), code_challenge_method="S256",
        )  # fmt: skip
        cookie = {"aud": AUDIENCE, "exp": int(self._clock()) + LIFETIME, "state": state, "nonce": nonce, "verifier": verifier}
        return str(address), jwt.encode(cookie | {"back": back, "link": link}, self._secret, ALGORITHM)

    def link_of(self, cookie: str) -> tuple[str, int] | None:
        """The account that is to be linked by whoever comes back with that cookie, as `begin` was told. Raises
        `SignInRefusedError`."""
        match self._read(cookie).get("link"):
            case [str(person), int(generation)]:
                return person, generation
        return None

    def back_of(self, cookie: str) -> str:
        """Where the page is of whoever comes back with that cookie; empty for one that is not ours."""
        try:
            return str(self._read(cookie).get("back", ""))
        except SignInRefusedError:
            return ""

    def finish(self, cookie: str, state: str, code: str) -> Subject:
        """Who comes back with that cookie, state and code. Raises `SignInRefusedError`, `ProviderError`."""
        begun = self._read(cookie)
        if not secrets.compare_digest(state.encode("utf-8", "surrogatepass"), str(begun["state"]).encode()):
            raise SignInRefusedError("another sign-in was expected; sign in again")
        token, access = self._exchange(code, str(begun["verifier"]))
        return self._verify(token, str(begun["nonce"]), access)

    def _exchange(self, code: str, verifier: str) -> tuple[str, str]:
        """The ID token and the access token for a code (RFC 6749, 4.1.3; the client as in 2.3.1)."""
        settings, place = self._settings, self._endpoint("token_endpoint")
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": settings.redirect, "code_verifier": verifier}
        auth = (quote_plus(settings.client_id), quote_plus(settings.client_secret)) if settings.client_secret else None
        if auth is None:
            form["client_id"] = settings.client_id
        status, found = self._ask("POST", place, data=form, auth=auth)
        if status in (400, 401, 403):
            raise SignInRefusedError("the provider does not know this sign-in; sign in again")
        token, access = found.get("id_token"), found.get("access_token", "")
        if status != 200 or not isinstance(token, str) or not isinstance(access, str):
            raise ProviderError(AWAY)
        return token, access

    def _read(self, cookie: str) -> dict[str, Any]:
        try:
            options: Any = {"require": ["exp", "state", "nonce", "verifier"], "verify_exp": False}
            begun: dict[str, Any] = jwt.decode(cookie, self._secret, [ALGORITHM], audience=AUDIENCE, options=options)
            if int(begun["exp"]) < self._clock():
                raise SignInRefusedError("this sign-in has taken too long; sign in again")
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise SignInRefusedError("a sign-in that this browser has begun was expected; sign in again") from None
        return begun

    def _verify(self, token: str, nonce: str, access: str) -> Subject:
        """OpenID Connect Core 1.0, 3.1.3.7."""
        settings = self._settings
        try:
            decoded = self._decode(token)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": settings.issuer},
                    "aud": {"essential": True, "value": settings.client_id},
                    "nonce": {"essential": True},
                },
                {"nonce": nonce, "client_id": settings.client_id, "access_token": access},
            )
            claims.validate(now=int(self._clock()), leeway=LEEWAY)
        except (JoseError, AuthlibBaseError, ValueError, TypeError, KeyError):
            raise SignInRefusedError("the provider's ID token is not valid for this sign-in; sign in again") from None
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise SignInRefusedError("the provider's ID token names nobody; sign in again")
        email = claims.get("email") if claims.get("email_verified") is True else ""
        name = claims.get("name") or claims.get("preferred_username") or ""
        return Subject(settings.issuer, subject, *(text if isinstance(text, str) else "" for text in (name, email)))

    def _decode(self, token: str) -> Any:
        try:
            return jose.decode(token, self._keys, algorithms=SIGNATURES)
        except (JoseError, ValueError):  # the provider may have other keys by now
            self._look_for_keys()
            return jose.decode(token, self._keys, algorithms=SIGNATURES)

    def _look_for_keys(self) -> None:
        with self._lock:
            now = time.monotonic()
            self._looked = [at for at in self._looked if now - at < KEYS_EVERY]
            if len(self._looked) >= LOOKS:
                return
            self._looked.append(now)
        try:
            self._keys = KeySet.import_key_set(self._get(self._endpoint("jwks_uri")))  # type: ignore[arg-type]
        except (JoseError, ValueError, TypeError, KeyError):
            raise ProviderError("the OpenID provider's keys cannot be read; try again") from None

    def _endpoint(self, name: str) -> str:
        """Of OpenID Connect Discovery 1.0, 3. Raises `ProviderError`."""
        known = self._metadata
        if known is None or time.monotonic() - known[0] > METADATA_FOR:
            found = self._get(f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self._settings.issuer:
                raise ProviderError("the OpenID provider calls itself by another name than --oidc-issuer; change that")
            known = self._metadata = (time.monotonic(), found)
        place = known[1].get(name)
        if not isinstance(place, str) or not is_safe_address(place):
            raise ProviderError("the OpenID provider does not say where to sign in; look at --oidc-issuer")
        return place

    def _get(self, place: str) -> dict[str, Any]:
        status, found = self._ask("GET", place)
        if status != 200:
            raise ProviderError(AWAY)
        return found

    def _ask(self, method: str, place: str, **values: Any) -> tuple[int, dict[str, Any]]:
        """Status and JSON object. Follows nothing elsewhere."""
        try:
            with httpx.stream(
                method, place, timeout=TIMEOUT, verify=_trusted(), headers={"accept": "application/json"}, **values
            ) as answer:
                data = b""
                for part in answer.iter_bytes():
                    data += part
                    if len(data) > MAX_ANSWER:
                        raise ValueError("too long")
            found = json.loads(data)
            if not isinstance(found, dict):
                raise TypeError
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, RecursionError):
            raise ProviderError(AWAY) from None
        return answer.status_code, found


@cache
def _trusted() -> ssl.SSLContext:
    """Whose certificates are believed. Read once: that takes longer than all else of a request."""
    return httpx.create_ssl_context()


def is_safe_address(place: str) -> bool:
    """Whether what is sent there cannot be read on the way: HTTPS, or this machine."""
    parts = urlsplit(place)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))
    )
