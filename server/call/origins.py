"""Where a request comes from: limits and fairness are by that address."""

from __future__ import annotations

import ipaddress
import re

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

_FORWARDED = re.compile(rb"\nx-forwarded-for:([^\r\n]*)", re.IGNORECASE)


def plain_address(host: str) -> str:
    """The address of a peer as sockets tell it, without a scope, and IPv4 as IPv4 on a socket for both."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


class Origins:
    """trusted: addresses or networks of proxies that are believed whom they ask for. The rules are uvicorn's, which the
    application's requests go through as well: of the addresses in X-Forwarded-For the last one that is no such proxy's."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._trusted = ProxyHeadersMiddleware(_nothing, list(trusted)).trusted_hosts

    def of(self, peer: str, header: bytes) -> str:
        """The address of whoever sent a request. peer: as `plain_address`. header: from its first line to the empty one."""
        if peer not in self._trusted:
            return peer
        fields = [field.decode("latin-1") for field in _FORWARDED.findall(header)]
        said = self._trusted.get_trusted_client_address(",".join(fields))[0].strip()
        try:
            return plain_address(str(ipaddress.ip_address(said)))
        except ValueError:
            return peer


async def _nothing(*_: object) -> None:
    """No application."""
