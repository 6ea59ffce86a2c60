from __future__ import annotations

from aiortc import RTCPeerConnection
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensions, unpack_header_extensions

from realtime.playout_delay import AT_ONCE, HELD, URI, PromptExtensions, install
from realtime.sending import make_live
from realtime.tracks import AvatarTrack

SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"


def agreed(*uris: str) -> PromptExtensions:
    extensions = PromptExtensions()
    parameters = [RTCRtpHeaderExtensionParameters(id=number, uri=uri) for number, uri in enumerate(uris, 3)]
    extensions.configure(RTCRtpParameters(headerExtensions=parameters))
    return extensions


def test_each_packet_says_that_the_picture_is_to_be_shown_at_once() -> None:
    packed = agreed(SEND_TIME, URI).set(HeaderExtensions(abs_send_time=0x010203))
    assert unpack_header_extensions(*packed) == [(3, b"\1\2\3"), (4, AT_ONCE)]


def test_a_page_that_holds_pictures_back_is_allowed_to() -> None:
    extensions = agreed(URI)
    for held, said in ((True, HELD), (False, AT_ONCE)):
        extensions.held = held
        assert unpack_header_extensions(*extensions.set(HeaderExtensions())) == [(3, said)]


def test_nothing_is_said_to_a_page_that_has_not_offered_it() -> None:
    packed = agreed(SEND_TIME).set(HeaderExtensions(abs_send_time=0x010203))
    assert unpack_header_extensions(*packed) == [(3, b"\1\2\3")]


async def test_it_is_agreed_on_with_a_page_that_offers_it() -> None:
    install()
    install()
    page, server = RTCPeerConnection(), RTCPeerConnection()
    page.addTransceiver("video", "recvonly")
    offer = await page.createOffer()
    assert offer.sdp.count(URI) == 1
    await server.setRemoteDescription(offer)
    sender = make_live(server.getTransceivers()[0].sender, "VP8")
    sender.replaceTrack(AvatarTrack())
    server.getTransceivers()[0].direction = "sendonly"
    assert URI in (await server.createAnswer()).sdp
    await page.close()
    await server.close()
    extensions = sender._RTCRtpSender__rtp_header_extensions_map  # type: ignore[attr-defined]
    assert isinstance(extensions, PromptExtensions) and not extensions.held
    sender.hold_pictures(True)
    assert extensions.held
