"""The way to the page: name, port, certificate, and whether it is a Visavis that answers."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import quote

from server.call_check.findings import LIMIT, CheckError, UntrustedError, limited
from server.call_check.link import RoomLink

MAX_PAGE = 64 * 1024
"""Bytes of a reply that are read."""
TITLE, HEALTH = b"<title>Visavis", b'{"status":"ok"}'
HTTPS = "https is spoken there; use https:// in the link"
SELF_SIGNED = (18, 19)
"""X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT and X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN."""


@dataclass(frozen=True)
class Reply:
    """An HTTP reply, cut to `MAX_PAGE`."""

    status: int
    body: bytes


async def check_address(link: RoomLink) -> str:
    """Name and port. Raises `CheckError`."""
    loop = asyncio.get_running_loop()
    try:
        async with limited(f"looking {link.host} up takes too long; check this computer's network"):
            found = await loop.getaddrinfo(link.host, link.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise CheckError(f"the name {link.host} is not known; check the link, and this computer's network") from None
    here = "; a link to this name opens on the server's own machine only" if link.is_local else ""
    silent = (
        f"{link.host} does not answer at port {link.port}; open TCP port {link.port} in its firewall, or forward it in its router"
    )
    try:
        async with limited(silent):
            _, writer = await asyncio.open_connection(link.host, link.port)
    except ConnectionRefusedError:
        raise CheckError(
            f"nothing listens at {link.host} port {link.port}; start the server with `visavis serve`, for others with "
            f"--host 0.0.0.0, and check the port{here}"
        ) from None
    except OSError as error:
        raise CheckError(
            f"{link.host} cannot be reached ({error.strerror or 'no way there'}); check this computer's network"
        ) from None
    writer.close()
    return f"{found[0][4][0]} port {link.port} takes connections"


async def check_certificate(link: RoomLink) -> tuple[str, ssl.SSLContext]:
    """What browsers think of the certificate, and a context that accepts it. Raises `CheckError`; `UntrustedError` where browsers
    refuse it."""
    context = ssl.create_default_context()
    try:
        async with limited(f"{link.netloc} does not finish the TLS handshake; check what listens there"):
            _, writer = await asyncio.open_connection(link.host, link.port, ssl=context)
        writer.close()
        return "browsers trust it", context
    except ssl.SSLCertVerificationError as error:
        if error.verify_code not in SELF_SIGNED:
            raise UntrustedError(f"browsers refuse it ({error.verify_message}); get one for {link.host} that is valid") from None
        return "self-signed, so each browser warns once and asks whether to go on", unverified()
    except ssl.SSLError:
        raise CheckError("no TLS is spoken there; use http:// in the link, or start the server with --tls") from None
    except OSError as error:
        raise CheckError(
            f"the connection ended in the TLS handshake ({error.strerror or 'hung up'}); use http:// in the link"
        ) from None


def unverified() -> ssl.SSLContext:
    """For a certificate that was told about already."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def check_page(link: RoomLink, tls: ssl.SSLContext | None) -> str:
    """That a Visavis serves the room's page. Raises `CheckError`."""
    page = await _get(link, f"/room/{quote(link.key, safe='')}", tls)
    if page.status == 200 and TITLE in page.body:
        return "Visavis serves the room"
    if page.status in (502, 503, 504) and b"make web" not in page.body:
        raise CheckError(
            f"a proxy answers with {page.status}; start the Visavis server behind it, or point the proxy to its port"
        )
    if not link.secure and await _speaks_tls(link):
        raise CheckError(HTTPS)
    health = await _get(link, "/healthz", tls)
    if health.status != 200 or health.body != HEALTH:
        raise CheckError(f"what answers at {link.netloc} is no Visavis server; check host and port of the link")
    if page.status == 503:
        raise CheckError("the server's pages are not built; run `make web` there")
    if page.status == 404:
        raise CheckError("there is no room at this link; ask for a new one, or see what `visavis serve` prints")
    raise CheckError(f"the room's page came with status {page.status}; look at the proxy before the server")


async def _get(link: RoomLink, path: str, tls: ssl.SSLContext | None) -> Reply:
    try:
        async with limited(f"{link.netloc} takes the connection but does not answer; start the server again"):
            return await asyncio.to_thread(_fetch, link, path, tls)
    except (http.client.HTTPException, ConnectionError):
        if not link.secure and await _speaks_tls(link):
            raise CheckError(HTTPS) from None
        raise CheckError(f"what answers at {link.netloc} does not speak HTTP; check host and port of the link") from None
    except OSError:
        raise CheckError(f"{link.netloc} takes the connection but does not answer; start the server again") from None


def _fetch(link: RoomLink, path: str, tls: ssl.SSLContext | None) -> Reply:
    connection = (
        http.client.HTTPConnection(link.host, link.port, timeout=LIMIT - 1)
        if tls is None
        else http.client.HTTPSConnection(link.host, link.port, timeout=LIMIT - 1, context=tls)
    )
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return Reply(reply.status, reply.read(MAX_PAGE))
    finally:
        connection.close()


async def _speaks_tls(link: RoomLink) -> bool:
    try:
        async with asyncio.timeout(LIMIT):
            _, writer = await asyncio.open_connection(link.host, link.port, ssl=unverified())
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
