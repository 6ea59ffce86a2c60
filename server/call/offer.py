"""What a page's SDP offer asks for, checked before a peer connection is made of it (RFC 8866, RFC 8829).

aiortc's parser looks through all codecs for each `a=rtcp-fb` line and keeps what it finds, so what may stand in an offer is
counted first, in one pass over its lines: an attribute that is not in `ATTRIBUTES` is left out, one that comes too often
makes the offer one that cannot be answered.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from aiortc.sdp import SessionDescription

from models.errors import ProtocolError

MAX_OFFER = 48 * 1024
"""Characters; Chromium's and Firefox's with sound, picture and data have about 8,000."""
MAX_LINES = 1000
MAX_LINE = 2048
MAX_FORMATS = 96
"""Payload types of one section; browsers offer fewer than 60."""
MAX_FRAGMENT = 16 * 1024
"""Characters of what trickle ICE brings at once."""
MAX_SECTIONS = 10
"""Media sections: a page needs one or two of video, one of its own sound, one for each voice that it hears, and one of data."""
MAX_CANDIDATES = 16
"""Addresses of the page that are kept: we send checks to each of them. More are left out."""
ATTRIBUTES = {
    "candidate": 128, "rtpmap": 96, "fmtp": 96, "rtcp-fb": 512, "extmap": 48, "ssrc": 64, "ssrc-group": 16,
    "fingerprint": 8, "group": 2, "msid-semantic": 2, "msid": 4, "mid": 1, "rtcp": 1, "rtcp-mux": 1, "setup": 1,
    "ice-ufrag": 1, "ice-pwd": 1, "ice-options": 1, "ice-lite": 1, "sctp-port": 1, "sctpmap": 1, "max-message-size": 1,
    "sendrecv": 1, "sendonly": 1, "recvonly": 1, "inactive": 1,
}  # fmt: skip
"""Attributes that aiortc reads (`aiortc.sdp`), and how many of each one section (or the part before the first) may have."""
MAX_WILDCARDS = 16
"""`a=rtcp-fb:*` lines of a section: each is for every codec."""

Kind = Literal["audio", "video"]
_CANDIDATE = re.compile(
    r"a=candidate:\S{1,32} 1 udp \d{1,10} (?P<host>[0-9A-Fa-f.:]{2,45}) (?P<port>\d{1,5}) "
    r"typ (host|srflx|prflx|relay)( .{0,200})?",
    re.IGNORECASE | re.ASCII,
)
_CREDENTIAL = re.compile(r"[!-~]{1,256}")


@dataclass(frozen=True)
class MediaLine:
    """One section of sound or video. page_sends, page_receives: its direction, as the page sees it."""

    kind: Kind
    page_sends: bool
    page_receives: bool


@dataclass(frozen=True)
class CheckedOffer:
    """sdp: to give to aiortc. lines: the sections of sound and video, in order. data: whether a data channel is wanted."""

    sdp: str
    lines: tuple[MediaLine, ...]
    data: bool


def check_offer(sdp: str) -> CheckedOffer:
    """Parse an offer. Raises `ProtocolError`, one sentence, when it cannot be answered.

    Candidates without an IP address are left out: browsers hide local addresses behind mDNS names (RFC 8828,
    draft-ietf-mmusic-mdns-ice-candidates), which take up to a second to look up and are not needed, because we learn the
    page's address from its first check (RFC 8445, 7.3.1.3). With them goes the end-of-candidates line, so that we wait
    for that check.
    """
    text = "\r\n".join(_bounded(sdp)) + "\r\n"
    try:
        media = SessionDescription.parse(text).media
    except (ValueError, AssertionError, LookupError, AttributeError, TypeError, StopIteration):  # found by fuzzing
        raise ProtocolError("an SDP offer was expected, it cannot be read; reload the page") from None
    if not 1 <= len(media) <= MAX_SECTIONS:
        raise ProtocolError(f"an offer of 1 to {MAX_SECTIONS} media sections was expected, {len(media)} came")
    if len({section.rtp.muxId for section in media}) != len(media):
        raise ProtocolError("a mid of its own was expected for each section of the offer (RFC 8843, 7.1), two have the same")
    lines: list[MediaLine] = []
    for section in media:
        if section.kind not in ("audio", "video", "application"):
            raise ProtocolError("sound, video and data were expected in the offer, something else came")
        secured = section.dtls is not None and bool(section.dtls.fingerprints)
        if not secured or section.ice is None or not section.rtp.muxId:
            raise ProtocolError("an offer with DTLS, ICE and mid attributes was expected (RFC 8829), some are missing")
        for credential in (section.ice.usernameFragment, section.ice.password):
            if credential is None or _CREDENTIAL.fullmatch(credential) is None:
                raise ProtocolError("an offer with an ICE user and password was expected (RFC 8839, 5.4), none is there")
        if section.kind != "application":
            kind: Kind = "audio" if section.kind == "audio" else "video"
            way = section.direction or "sendrecv"
            lines.append(MediaLine(kind, way in ("sendrecv", "sendonly"), way in ("sendrecv", "recvonly")))
    return CheckedOffer(text, tuple(lines), any(section.kind == "application" for section in media))


def _bounded(sdp: str) -> list[str]:
    """The lines worth parsing. Raises `ProtocolError` when there is more than any page has to say.

    All candidates go to the last section: with one transport for all sections (RFC 8843) browsers name them in the first one
    only, and aiortc (`setRemoteDescription`) reads those of the last one. Without them we send no checks of our own, and then
    neither our firewall, nor our relay, lets the page's in.
    """
    lines = sdp[: MAX_OFFER + 1].splitlines()  # as aiortc does: at more characters than CR and LF
    if len(sdp) > MAX_OFFER or len(lines) > MAX_LINES:
        raise _too_much(f"{MAX_OFFER} characters and {MAX_LINES} lines")
    kept: list[str] = []
    candidates: list[str] = []
    sections, addresses = 0, set[tuple[str, str]]()
    counts: Counter[str] = Counter()
    formats: set[str] = set()
    for line in lines:
        if len(line) > MAX_LINE:
            raise _too_much(f"{MAX_LINE} characters in a line")
        if line.startswith("m="):
            sections += 1
            counts.clear()
            formats.clear()
            if sections > MAX_SECTIONS:
                raise ProtocolError(f"an offer of 1 to {MAX_SECTIONS} media sections was expected, more came")
            if line.count(" ") > MAX_FORMATS + 2:
                raise _too_much(f"{MAX_FORMATS} formats in a section")
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            if name not in ATTRIBUTES:
                continue
            first = value.partition(" ")[0]
            counts[name] += 1
            counts["*"] += name == "rtcp-fb" and first == "*"
            if counts[name] > ATTRIBUTES[name] or counts["*"] > MAX_WILDCARDS:
                raise _too_much(f"{ATTRIBUTES[name]} lines of a={name} in a section")
            if name == "candidate":
                candidates += [line] if _is_useful(line, addresses) else []
                continue
            if name == "rtpmap" and first in formats:
                continue
            if name == "rtpmap":
                formats.add(first)
        kept.append(line)
    return kept + candidates


def _too_much(limit: str) -> ProtocolError:
    return ProtocolError(f"an offer of at most {limit} was expected, more came; reload the page")


def _is_useful(line: str, known: set[tuple[str, str]]) -> bool:
    """Whether checks may be sent to the candidate: an address of one machine, which no other section named already.

    Left out besides what has no address: TCP, RTCP's own component, ports of the system's services, and addresses that are
    nobody's, everybody's or our own. A page on this machine reaches us without them, as we learn its address.
    """
    match = _CANDIDATE.fullmatch(line.strip())
    if match is None or not 1024 <= int(match["port"]) <= 65535:
        return False
    try:
        address = ipaddress.ip_address(match["host"])
    except ValueError:
        return False
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    if mapped or address.is_multicast or address.is_unspecified or address.is_loopback or address.is_link_local:
        return False
    if isinstance(address, ipaddress.IPv4Address) and (address.is_reserved or int(address) >> 24 == 0):
        return False
    where = (str(address), match["port"])
    if where not in known and len(known) >= MAX_CANDIDATES:
        return False
    known.add(where)
    return True


@dataclass(frozen=True)
class IceFragment:
    """What trickle ICE brings later (RFC 8840). user: the ICE user that it is of, empty when it names none. candidates: lines."""

    user: str
    candidates: tuple[str, ...]


def check_fragment(text: str) -> IceFragment:
    """Parse an `application/trickle-ice-sdpfrag`. Raises `ProtocolError`, one sentence, when it is none.

    Candidates that cannot be used are left out without a word, as RFC 9725 (4.3.2) asks.
    """
    lines = [line for line in text.splitlines() if line]
    if len(text) > MAX_FRAGMENT or len(lines) > MAX_LINES or any(len(line) > MAX_LINE for line in lines):
        raise _too_much(f"{MAX_FRAGMENT} characters")
    if not lines or any(re.match(r"[a-z]=", line) is None for line in lines):
        raise ProtocolError("an SDP fragment with ICE candidates was expected (RFC 8840), it cannot be read")
    users = {line.partition(":")[2] for line in lines if line.startswith("a=ice-ufrag:")}
    if len(users) > 1 or any(_CREDENTIAL.fullmatch(user) is None for user in users):
        raise ProtocolError("an SDP fragment with one ICE user was expected (RFC 8840), several came")
    return IceFragment(next(iter(users), ""), useful_candidates(line for line in lines if line.startswith("a=candidate:")))


def useful_candidates(lines: Iterable[str]) -> tuple[str, ...]:
    """Those of the `a=candidate:` lines that checks may be sent to."""
    addresses = set[tuple[str, str]]()
    return tuple(line.strip() for line in lines if _is_useful(line, addresses))
