"""Sound for speech at both ends of aiortc: a small Opus stream out, and no wait for packets that come in.

aiortc sends Opus at 96 kbit/s in stereo, a quarter of a narrow line, and holds received packets for four of them (80 ms), and
for sixteen (320 ms) when one is lost. A person's microphone is one voice: 32 kbit/s mono (RFC 6716, 2.1.1: full band), with
the packet before in coarse form for a lost one (2.1.7). Received packets are forwarded at once; each viewer's browser has a
jitter buffer of its own that suits its line, and another one before it only makes sound late against the picture.
"""

from __future__ import annotations

import av
from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.codecs.opus import SAMPLE_RATE, SAMPLES_PER_FRAME, TIME_BASE, OpusEncoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket
from av.audio.codeccontext import AudioCodecContext

from models.errors import MissingPartError

BITRATE = 32_000
"""Bits a second."""
EXPECTED_LOSS = 5
"""Percent, for which the encoder makes itself redundant."""
_ENCODER, _BUFFER = "_RTCRtpSender__encoder", "_RTCRtpReceiver__jitter_buffer"


class SpeechEncoder(OpusEncoder):
    """Takes s16 frames of any layout, gives packets of 20 ms."""

    def __init__(self) -> None:
        super().__init__()
        codec = av.CodecContext.create("libopus", "w")
        assert isinstance(codec, AudioCodecContext)
        codec.bit_rate, codec.sample_rate, codec.time_base = BITRATE, SAMPLE_RATE, TIME_BASE
        codec.format, codec.layout = "s16", "mono"
        codec.options = {"application": "voip", "fec": "1", "packet_loss": str(EXPECTED_LOSS)}
        self.codec = codec
        self.resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE, SAMPLES_PER_FRAME)


class DirectBuffer(JitterBuffer):
    """Forwards each packet of sound as it comes; packets older than the last forwarded one are dropped."""

    def __init__(self) -> None:
        super().__init__(capacity=1)
        self._newest: int | None = None

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Returns that no PLI is to be sent, and the packet's sound."""
        if self._newest is not None and not 0 < (packet.sequence_number - self._newest) % (1 << 16) < 1 << 15:
            return False, None
        self._newest = packet.sequence_number
        return False, JitterFrame(packet._data, packet.timestamp)  # type: ignore[attr-defined]  # the payload, by aiortc


def make_speech_sender(sender: RTCRtpSender) -> None:
    """Give a sender of Opus that has not started yet a `SpeechEncoder`; aiortc offers no public way to choose one."""
    _replace(sender, _ENCODER, SpeechEncoder())


def make_direct(receiver: RTCRtpReceiver) -> None:
    """Give a receiver of sound that has not started yet a `DirectBuffer`."""
    _replace(receiver, _BUFFER, DirectBuffer())


def _replace(owner: object, name: str, part: object) -> None:
    if not hasattr(owner, name):
        raise MissingPartError("aiortc 1.14 to 1.16 was expected, another layout was found; install aiortc==1.16.*")
    setattr(owner, name, part)
