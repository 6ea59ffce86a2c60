"""What a page's SDP offer asks for, checked before a peer connection is made of it (RFC 8866, RFC 8829)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal

from aiortc.sdp import SessionDescription

from models.errors import ProtocolError

MAX_LINES = 6
"""Media sections: a page needs one or two of video, one of sound and one of data."""
MAX_CANDIDATES = 128

Kind = Literal["audio", "video"]


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
    kept = [line for line in sdp.splitlines() if not _is_hidden(line)]
    if sum(line.startswith("a=candidate:") for line in kept) > MAX_CANDIDATES:
        raise ProtocolError(f"an offer of at most {MAX_CANDIDATES} candidates was expected; it has more")
    text = "\r\n".join(kept) + "\r\n"
    try:
        media = SessionDescription.parse(text).media
    except (ValueError, AssertionError, LookupError, AttributeError, TypeError, StopIteration):  # found by fuzzing
        raise ProtocolError("an SDP offer was expected, it cannot be read; reload the page") from None
    if not 1 <= len(media) <= MAX_LINES:
        raise ProtocolError(f"an offer of 1 to {MAX_LINES} media sections was expected, {len(media)} came")
    lines: list[MediaLine] = []
    for section in media:
        if section.kind not in ("audio", "video", "application"):
            raise ProtocolError("sound, video and data were expected in the offer, something else came")
        secured = section.dtls is not None and bool(section.dtls.fingerprints)
        if not secured or section.ice is None or not section.ice.usernameFragment or not section.rtp.muxId:
            raise ProtocolError("an offer with DTLS, ICE and mid attributes was expected (RFC 8829), some are missing")
        if section.kind != "application":
            kind: Kind = "audio" if section.kind == "audio" else "video"
            way = section.direction or "sendrecv"
            lines.append(MediaLine(kind, way in ("sendrecv", "sendonly"), way in ("sendrecv", "recvonly")))
    return CheckedOffer(text, tuple(lines), any(section.kind == "application" for section in media))


def _is_hidden(line: str) -> bool:
    if line.startswith("a=end-of-candidates"):
        return True
    if not line.startswith("a=candidate:"):
        return False
    fields = line.split()
    try:
        ipaddress.ip_address(fields[4] if len(fields) > 4 else "")
    except ValueError:
        return True
    return False
