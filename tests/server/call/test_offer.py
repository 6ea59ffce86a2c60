from __future__ import annotations

from collections import Counter

import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ProtocolError
from server.call.offer import MAX_CANDIDATES, MAX_OFFER, MAX_SECTIONS, MAX_WILDCARDS, MediaLine, check_offer
from tests.server.call.attacks.offers import largest, offer, shapes


async def real_offer(*lines: tuple[str, str], channel: bool = True) -> str:
    pc = RTCPeerConnection(RTCConfiguration([]))
    if channel:
        pc.createDataChannel("control")
    for kind, direction in lines:
        pc.addTransceiver(kind, direction=direction)
    await pc.setLocalDescription(await pc.createOffer())
    sdp = pc.localDescription.sdp
    await pc.close()
    return sdp


async def test_directions_are_read_from_the_pages_side() -> None:
    sdp = await real_offer(("video", "sendrecv"), ("video", "recvonly"), ("audio", "sendonly"))
    offer = check_offer(sdp)
    assert sorted(offer.lines, key=str) == [
        MediaLine("audio", True, False),
        MediaLine("video", False, True),
        MediaLine("video", True, True),
    ]
    assert offer.data


async def test_hidden_addresses_are_left_out_and_real_ones_stay() -> None:
    sdp = await real_offer(("video", "recvonly"))
    real = [line for line in sdp.splitlines() if line.startswith("a=candidate:")]
    hidden = "a=candidate:1 1 udp 2113937151 0d3f0ae5-3a28-4cb4-b1a0-b1a8a2e7b0c9.local 50000 typ host"
    offer = check_offer(sdp.replace(real[0], hidden + "\r\n" + real[0]))
    assert ".local" not in offer.sdp and "end-of-candidates" not in offer.sdp
    assert all(line in offer.sdp for line in real)


async def test_the_addresses_of_a_page_that_names_them_once_are_tried() -> None:
    """As browsers do with one transport for all sections: in the first one only."""
    pages = await real_offer(("video", "sendrecv"), ("audio", "recvonly"))
    candidate = "a=candidate:1 1 udp 25042943 192.0.2.2 38383 typ relay raddr 0.0.0.0 rport 0"
    plain = [line for line in pages.splitlines() if not line.startswith("a=candidate:")]
    first = next(place for place, line in enumerate(plain) if line.startswith("a=mid:"))
    offer = check_offer("\r\n".join([*plain[:first], candidate, *plain[first:], ""]))
    pc = RTCPeerConnection(RTCConfiguration([], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    for line in offer.lines:
        pc.addTransceiver(line.kind)
    await pc.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
    found = pc.getTransceivers()[0].receiver.transport.transport.getRemoteCandidates()
    await pc.close()
    assert [(one.ip, one.port, one.type) for one in found] == [("192.0.2.2", 38383, "relay")]


@pytest.mark.parametrize("text", ["", "v=0", "hello", "\0", "m=video", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"])
def test_what_is_no_offer_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError) as error:
        check_offer(text)
    assert "\n" not in str(error.value)


async def test_too_many_sections_are_refused() -> None:
    with pytest.raises(ProtocolError, match="media sections"):
        check_offer(await real_offer(*[("video", "recvonly")] * MAX_SECTIONS))


@pytest.mark.parametrize("shape", shapes(1000))
def test_an_offer_of_any_shape_is_bounded_before_it_is_parsed(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def parse(text: str) -> None:
        parsed.append(text)
        raise ValueError

    monkeypatch.setattr(SessionDescription, "parse", parse)
    for size in (40_000, 90_000, 255_000):
        with pytest.raises(ProtocolError):
            check_offer(shapes(size)[shape])
    for text in parsed:
        names = Counter(line.partition(":")[0] for line in text.splitlines())
        assert len(text) <= MAX_OFFER and names["a=rtpmap"] <= 96 * MAX_SECTIONS
        assert text.count("a=rtcp-fb:*") <= MAX_WILDCARDS * MAX_SECTIONS


def test_what_a_browser_never_repeats_is_refused_or_read_once() -> None:
    kept = check_offer(offer("a=rtpmap:96 VP8/90000\r\n" * 90 + "a=crypto:1 x\r\n" * 90)).sdp
    assert kept.count("rtpmap:96") == 1 and "crypto" not in kept
    assert check_offer(largest()).lines
    twice = offer(sections=2).replace("a=mid:1", "a=mid:0")
    with pytest.raises(ProtocolError, match="mid"):
        check_offer(twice)


@pytest.mark.parametrize(
    "candidate",
    [
        "1 1 udp 1 192.0.2.1 53 typ host",
        "1 1 udp 1 192.0.2.1 0 typ host",
        "1 1 udp 1 192.0.2.1 70000 typ host",
        "1 1 tcp 1 192.0.2.1 5000 typ host tcptype passive",
        "1 2 udp 1 192.0.2.1 5000 typ host",
        "1 1 udp 1 127.0.0.1 5000 typ host",
        "1 1 udp 1 0.0.0.0 5000 typ host",
        "1 1 udp 1 255.255.255.255 5000 typ host",
        "1 1 udp 1 224.0.0.251 5353 typ host",
        "1 1 udp 1 169.254.169.254 8080 typ host",
        "1 1 udp 1 ff02::fb 5353 typ host",
        "1 1 udp 1 ::1 5000 typ host",
        "1 1 udp 1 ::ffff:127.0.0.1 5000 typ host",
        "1 1 udp 1 fe80::1 5000 typ host",
        "1 1 udp 1 example.org 5000 typ host",
        "1 1 udp 1 192.0.2.1 5000 typ odd",
        "1 1 udp 1",
        "",
    ],
)
def test_no_checks_are_sent_where_no_page_can_be(candidate: str) -> None:
    real = "a=candidate:2 1 udp 1 192.168.1.7 5000 typ host generation 0\r\n"
    kept = check_offer(offer(f"a=candidate:{candidate}\r\n{real}")).sdp
    assert [line for line in kept.splitlines() if "candidate" in line] == [real.strip()]


def test_only_so_many_addresses_are_checked() -> None:
    many = "".join(f"a=candidate:{i} 1 udp 1 192.0.2.{i} 5000 typ host\r\n" for i in range(100))
    kept = check_offer(offer(many, sections=3)).sdp
    assert len({line.split()[4] for line in kept.splitlines() if "candidate" in line}) == MAX_CANDIDATES


LINES = st.sampled_from(
    """v=0|o=- 1 1 IN IP4 0.0.0.0|s=-|t=0 0|a=group:BUNDLE 0|m=video 9 UDP/TLS/RTP/SAVPF 97|m=audio 9 X 0|m=x|a=mid:0
    |a=rtpmap:97 VP8/90000|a=rtpmap:x|a=fmtp:97 a=b|a=fmtp:97|a=ssrc:1 cname:x|a=ssrc:x|a=ssrc-group:FID 1 2
    |a=candidate:1 1 udp 1 192.0.2.1 1 typ host|a=candidate:1|a=ice-ufrag:u|a=ice-pwd:p|a=setup:active|a=sendrecv
    |a=fingerprint:sha-256 AA|a=fingerprint:|a=rtcp:9 IN IP4 0.0.0.0|a=rtcp:x|a=extmap:1 u|a=extmap:x|a=rtcp-fb:97 nack
    |m=application 9 UDP/DTLS/SCTP webrtc-datachannel|a=sctp-port:x|a=max-message-size:x|a=msid-semantic:WMS *|c=|b=|a=
    |a=ice-options:trickle|a=ice-lite|a=sctpmap:x|a=msid:|c=IN IP4 x|a=group:|a=rtcp-mux|=|a""".replace("\n    ", "").split("|")
)


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES, max_size=30))
def test_any_lines_are_refused_or_understood(lines: list[str]) -> None:
    sentence = ""
    try:
        check_offer("\r\n".join(lines))
    except ProtocolError as error:
        sentence = str(error)
    assert "\n" not in sentence
