"""All checks of the way to a room, one after the other; what cannot be tested any more is said, too."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field

from server.call.protocol import IceServer, Lobby
from server.call_check.findings import CheckError, Finding, UntrustedError
from server.call_check.link import RoomLink
from server.call_check.media import NoPlaceError, call, check_receiving, check_sending, greet, signalling
from server.call_check.relays import check_ice_server, parts_of
from server.call_check.web import check_address, check_certificate, check_page, unverified

ADDRESS, TLS, CERTIFICATE, PAGE, SOCKET, ROOM = "address", "https", "certificate", "page", "WebSocket", "room"
UDP, RELAYED, SENDING, RECEIVING = "UDP to the server", "the server through", "sending", "receiving"
MAX_SERVERS = 16
"""STUN and TURN servers that are asked."""
PLAIN = "plain http, where browsers give camera and microphone on the server's own machine only; start the server with --tls"


@dataclass
class _Way:
    """What is known so far. stun, relays: servers that answer."""

    link: RoomLink
    tls: ssl.SSLContext | None = None
    lobby: Lobby | None = None
    stun: list[IceServer] = field(default_factory=list)
    relays: list[IceServer] = field(default_factory=list)


async def check_call(link: RoomLink) -> AsyncIterator[Finding]:
    """A finding for each check, as soon as it is there. A call works when `SENDING` and `RECEIVING` have passed."""
    way = _Way(link)
    for part in (_check_web, _check_room, _check_servers, _check_media):
        lost = False
        async for finding in part(way):
            yield finding
            lost = lost or (finding.state == "failed" and finding.check in (ADDRESS, TLS, PAGE, SOCKET, ROOM))
        if lost:
            for check in (UDP, SENDING, RECEIVING):
                yield Finding(check, "untested", "the room was not reached, see above")
            return


async def _finding(check: str, work: Awaitable[str]) -> Finding:
    try:
        return Finding(check, "passed", await work)
    except CheckError as error:
        return Finding(check, "failed", str(error))


async def _check_web(way: _Way) -> AsyncIterator[Finding]:
    address = await _finding(ADDRESS, check_address(way.link))
    yield address
    if address.state == "failed":
        return
    if way.link.secure:
        try:
            text, way.tls = await check_certificate(way.link)
            yield Finding(CERTIFICATE, "passed", text)
        except UntrustedError as error:
            way.tls = unverified()
            yield Finding(CERTIFICATE, "failed", str(error))
        except CheckError as error:
            yield Finding(TLS, "failed", str(error))
            return
    elif not way.link.is_local:
        yield Finding(CERTIFICATE, "untested", PLAIN)
    yield await _finding(PAGE, check_page(way.link, way.tls))


async def _check_room(way: _Way) -> AsyncIterator[Finding]:
    check = SOCKET
    try:
        async with signalling(way.link, way.tls) as socket:
            yield Finding(SOCKET, "passed", "opens")
            check = ROOM
            way.lobby = await greet(socket, way.link.key)
        yield Finding(ROOM, "passed", f"the link is right, its role is {way.lobby.role}")
    except CheckError as error:
        yield Finding(check, "failed", str(error))


async def _check_servers(way: _Way) -> AsyncIterator[Finding]:
    assert way.lobby is not None
    servers = [IceServer([url], s.username, s.credential) for s in way.lobby.ice_servers for url in s.urls]
    for server in servers[:MAX_SERVERS]:
        url = server.urls[0]
        if url.startswith("stuns:"):
            yield Finding(url, "untested", "STUN over TLS is not spoken here; the page's connection test tries it")
            continue
        finding = await _finding(url, check_ice_server(server))
        yield finding
        if finding.state == "passed":
            (way.stun if parts_of(url)["scheme"] == "stun" else way.relays).append(server)


async def _check_media(way: _Way) -> AsyncIterator[Finding]:
    tries = [(UDP, way.stun[:1], False), *((f"{RELAYED} {relay.urls[0]}", [relay], True) for relay in way.relays)]
    for check, servers, relay in tries:
        try:
            async with call(way.link.socket, way.link.key, servers, way.tls, relay=relay) as page:
                yield Finding(check, "passed", "the connection for picture and sound stands")
                yield await _finding(SENDING, check_sending(page))
                yield await _finding(RECEIVING, check_receiving(page))
                return
        except NoPlaceError as error:
            for name in (check, SENDING, RECEIVING):
                yield Finding(name, "untested", f"there is no place in the room for the test now: {error}")
            return
        except CheckError as error:
            yield Finding(check, "failed", str(error))
    for check in (SENDING, RECEIVING):
        yield Finding(check, "untested", "there is no connection for picture and sound, see above")


def works(findings: list[Finding]) -> bool:
    """Whether a call works from this machine."""
    passed = {finding.check for finding in findings if finding.state == "passed"}
    return {SENDING, RECEIVING} <= passed


def summary(findings: list[Finding]) -> str:
    """One sentence: whether a call works, or what to mend first."""
    failed = [finding for finding in findings if finding.state == "failed"]
    if works(findings):
        relayed = any(finding.check.startswith(RELAYED) and finding.state == "passed" for finding in findings)
        also = f"; for others, mend this: {failed[0].check}: {failed[0].text}" if failed and not relayed else ""
        plain = any(finding.check == CERTIFICATE and finding.state == "untested" for finding in findings)
        return f"calls work from this machine{' through the relay' if relayed else ''}{f'; but it is {PLAIN}' if plain else also}"
    if failed:
        return f"calls do not work from this machine; first mend this: {failed[-1].check}: {failed[-1].text}"
    return next((finding.text for finding in findings if finding.state == "untested"), "nothing was tested")
