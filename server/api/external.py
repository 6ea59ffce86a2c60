"""/api/sign-in: at an OpenID provider, if there is one."""

from __future__ import annotations

from typing import Annotated, Literal

import jwt
from fastapi import APIRouter, Cookie, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from server.accounts.identities import link
from server.accounts.oidc import LIFETIME, OpenIdProvider, ProviderError, SignInRefusedError
from server.accounts.people import ConflictError, SignInError
from server.accounts.tokens import InvalidTokenError
from server.api.accounts import Token, address_of
from server.api.problems import ProblemError
from server.api.service import Service, ServiceDep

router = APIRouter(prefix="/api/sign-in", tags=["accounts"])
BEGUN, DONE = "visavis-begun", "visavis-signed-in"
"""Names of cookies: of a sign-in that has begun, and of a token that the page is about to fetch."""
FETCHED_IN = 60
"""Seconds in which the page fetches the token."""
DESK = "/admin"
BACK = r"^/(admin|room/[A-Za-z0-9_.-]{1,1024})$"
Back = Annotated[str, Query(pattern=BACK, description="Path of the page to come back to.")]
Outcome = Literal["done", "refused", "failed", "disabled", "linked", "taken"]


class SignInWays(BaseModel):
    """How people sign in here. provider: name of the OpenID provider, empty without one."""

    passwords: bool
    provider: str


@router.get("")
def ways(service: ServiceDep) -> SignInWays:
    """How people sign in here."""
    return SignInWays(passwords=service.passwords, provider="" if service.provider is None else service.provider.name)


@router.get("/begin", status_code=303, response_class=RedirectResponse)
def begin(request: Request, service: ServiceDep, back: Back = DESK) -> RedirectResponse:
    """To the OpenID provider."""
    provider = provider_of(service)
    service.limits.external.take(address_of(request))
    try:
        place, cookie = provider.begin(back)
    except ProviderError as error:
        raise ProblemError(503, str(error), retry_after=10) from None
    reply = RedirectResponse(place, 303)
    remember_begun(request, reply, cookie)
    return reply


@router.get("/callback", status_code=303, response_class=RedirectResponse)
def come_back(
    request: Request,
    service: ServiceDep,
    state: Annotated[str, Query(max_length=512)] = "",
    code: Annotated[str, Query(max_length=4096)] = "",
    begun: Annotated[str, Cookie(alias=BEGUN, max_length=4096)] = "",
) -> RedirectResponse:
    """From the OpenID provider, to the page; what became of it is in the fragment of the address. Somebody who has begun to link
    an account (`POST /api/me/identities`) stays signed in there."""
    provider = provider_of(service)
    service.limits.external.take(address_of(request))
    outcome: Outcome = "done"
    token, account = "", None
    try:
        account, subject = provider.link_of(begun), provider.finish(begun, state, code)
        if account is None:
            token = service.people.sign_in_external(subject, service.admin_email)
        else:
            link(service.database, *account, subject)
            outcome = "linked"
    except SignInRefusedError:
        outcome = "refused"
    except ProviderError:
        outcome = "failed"
    except SignInError:
        outcome = "disabled" if account is None else "refused"
    except ConflictError:
        outcome = "taken"
    reply = RedirectResponse(f"{provider.back_of(begun) or DESK}#sign-in/{outcome}", 303)
    reply.delete_cookie(BEGUN, path=router.prefix)
    if token:
        _set(request, reply, DONE, token, FETCHED_IN, "strict")
    return reply


@router.post("/token", status_code=201)
def fetch_token(request: Request, response: Response, service: ServiceDep) -> Token:
    """The token of somebody who has just come back; once."""
    token = request.cookies.get(DONE, "")
    try:
        service.people.identify(token)
    except (InvalidTokenError, jwt.InvalidTokenError):
        raise InvalidTokenError("a sign-in at the OpenID provider was expected first; sign in") from None
    response.delete_cookie(DONE, path=router.prefix)
    return Token(token=token)


def provider_of(service: Service) -> OpenIdProvider:
    """Raises `ProblemError` without one."""
    if service.provider is None:
        raise ProblemError(404, "people sign in with a password here; there is no OpenID provider")
    return service.provider


def remember_begun(request: Request, reply: Response, cookie: str) -> None:
    """Let the browser come back with what `OpenIdProvider.begin` gave."""
    _set(request, reply, BEGUN, cookie, LIFETIME, "lax")  # the provider's page sends the browser back


def _set(request: Request, reply: Response, name: str, value: str, seconds: int, site: Literal["lax", "strict"]) -> None:
    is_https = request.url.scheme == "https"  # behind a proxy, as it says
    reply.set_cookie(name, value, max_age=seconds, path=router.prefix, httponly=True, samesite=site, secure=is_https)
