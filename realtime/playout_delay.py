"""How long a page may hold pictures back: the RTP header extension `playout-delay` (its address, `URI`, is its description).

Without it Chromium adds 10 ms for drawing, its measure of the jitter, and up to a picture's interval for even spacing. With least
and most delay 0 it shows a picture as soon as it is decoded, whatever the page asks for (`jitterBufferTarget`). Where the page
says that it holds pictures back, as voices come late, the most is 500 ms, which makes all some 9 ms later. Who does not offer
the extension is sent none.
"""

from __future__ import annotations

from aiortc.codecs import HEADER_EXTENSIONS
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap, pack_header_extensions, unpack_header_extensions

URI = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
OFFERED_ID = 6
"""Where we make the offer; 1 to 14 (RFC 8285, 4.2)."""
AT_ONCE, HELD = bytes(3), (50).to_bytes(3)
"""Two times of 12 bits in steps of 10 ms, the least and the most: both 0; 0 and 500 ms."""


def install() -> None:
    """Take the extension from pages that offer it, in all connections of this process. May be called again."""
    known = HEADER_EXTENSIONS["video"]
    if all(extension.uri != URI for extension in known):
        known.append(RTCRtpHeaderExtensionParameters(id=OFFERED_ID, uri=URI))


class PromptExtensions(HeaderExtensionsMap):
    """Extensions of a sender, with `AT_ONCE` in each packet where the page has agreed to it, or `HELD`."""

    def __init__(self) -> None:
        super().__init__()
        self._id = 0
        self.held = False
        """Whether the page may hold pictures back."""

    def configure(self, parameters: RTCRtpParameters) -> None:
        """Take the numbers that were agreed on."""
        super().configure(parameters)
        self._id = next((extension.id for extension in parameters.headerExtensions if extension.uri == URI), 0)

    def set(self, values: HeaderExtensions) -> tuple[int, bytes]:
        """The profile and the bytes of the extensions of one packet."""
        profile, data = super().set(values)
        if not self._id:
            return profile, data
        return pack_header_extensions([*unpack_header_extensions(profile, data), (self._id, HELD if self.held else AT_ONCE)])
