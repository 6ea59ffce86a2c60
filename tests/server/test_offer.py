from __future__ import annotations

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ProtocolError
from server.offer import MAX_CANDIDATES, MediaLine, check_offer


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


@pytest.mark.parametrize("text", ["", "v=0", "hello", "\0", "m=video", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"])
def test_what_is_no_offer_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError) as error:
        check_offer(text)
    assert "\n" not in str(error.value)


async def test_too_many_sections_or_candidates_are_refused() -> None:
    with pytest.raises(ProtocolError, match="media sections"):
        check_offer(await real_offer(*[("video", "recvonly")] * 6))
    sdp = await real_offer(("video", "recvonly"))
    many = "".join(f"a=candidate:{i} 1 udp 1 192.0.2.1 {i + 1} typ host\r\n" for i in range(MAX_CANDIDATES + 1))
    with pytest.raises(ProtocolError, match="candidates"):
        check_offer(sdp + many)


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
