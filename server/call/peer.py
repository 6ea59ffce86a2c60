"""One page's peer connection: webcam and microphone in, its view of the room and the others' voices out, and the data channel.

W3C webrtc and RFC 8829 by aiortc. What a peer shares with the others comes in as `RoomMedia`; what it learns goes out through
`PeerEvents`. Nothing of the page's (SDP, addresses, what it says) is logged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.sdp import SessionDescription

from models.errors import ProtocolError
from realtime import nvenc
from realtime.encoder import LiveH264Encoder, LiveVp8Encoder
from realtime.receiving import make_prompt
from realtime.room.framing import NAMES, Framing
from realtime.room.layout import ViewRequest
from realtime.room.sound import RoomSound, SoundLine
from realtime.room.view import OpenView
from realtime.room.worker import RoomWorker
from realtime.sending import LiveSender, make_live
from realtime.speech import make_direct, make_speech_sender
from realtime.tracks import AvatarTrack, feed_webcam
from server.call import aiortc_fixes, driving
from server.call.actions import StartMedia
from server.call.driving import DriveLine, DriveRelay
from server.call.offer import CheckedOffer, MediaLine, check_offer
from server.call.protocol import (
    MAX_SOUND_LINES,
    FromPage,
    Labels,
    PictureHeld,
    Ping,
    Place,
    Pong,
    Recalibrate,
    Stats,
    ToPage,
    ViewerCamera,
    ViewerFrame,
    decode,
    encode,
)
from server.call.rules import RoomSettings
from server.operations.rtp_stats import RtpMeter

log = logging.getLogger(__name__)

CHANNEL = "control"
STAGES = ("decode", "landmarks", "track", "solve", "pose", "splat", "encode", "total")
"""What pages are told about, in the order in which it happens."""
CLOSE_TIMEOUT = 2.0
"""Seconds that a connection has to close in good order."""
SETTLE = 0.5
"""Seconds after which a camera that was moved counts as resting."""
LABELS_EVERY = 0.05
"""Seconds between two times that a page's own camera has its labels worked out; the room does so now and then anyway."""
BACKLOG = 64 * 1024
"""Bytes waiting on the data channel above which nothing more is put there."""


class NoPortError(ProtocolError):
    """There is no UDP port for one more connection; there may be one later."""


@dataclass(frozen=True)
class RoomMedia:
    """What all peers of a room share. feeder: threads that give webcam pictures to the worker. labels: what a request shows.
    drives: everybody's drive frames, for pages that draw by themselves."""

    settings: RoomSettings
    worker: RoomWorker
    sound: RoomSound
    feeder: ThreadPoolExecutor
    labels: Callable[[ViewRequest], Labels]
    drives: DriveRelay


@dataclass(frozen=True)
class PeerEvents:
    """What the room wants to know. ping: a heartbeat came. malformed: one sentence. ended: the connection is over."""

    ping: Callable[[], None]
    malformed: Callable[[str], None]
    ended: Callable[[], None]


class RoomPeer:
    """A peer connection that answers one offer; `close` ends it for good."""

    def __init__(self, start: StartMedia, room: RoomMedia, events: PeerEvents) -> None:
        self.member, self._participant, self._muted = start.member, start.participant, start.muted
        self._room, self._events = room, events
        self._pc: RTCPeerConnection | None = None
        self._view: OpenView | None = None
        self._lines: list[SoundLine] = []
        self._line_mids: list[str] = []
        self._encoder: LiveVp8Encoder | LiveH264Encoder | None = None
        self._sender: RTCRtpSender | None = None
        self._channel: RTCDataChannel | None = None
        self._drive: DriveLine | None = None
        self._labels = Labels()
        self._place = start.place
        self._track: AvatarTrack | None = None
        self._labelled = 0.0
        self._settling: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._meter = RtpMeter()
        self._closed = False

    async def answer(self, sdp: str) -> str:
        """The complete answer to a page's complete offer. Raises `ProtocolError` when there can be none."""
        if self._closed:
            raise ProtocolError("a newer offer has taken this one's place; nothing is to be done")
        offer = check_offer(sdp)
        await asyncio.sleep(0)  # aiortc reads it once more: the media of the others go between
        servers = [
            RTCIceServer(urls=s.urls, username=s.username or None, credential=s.credential or None)
            for s in self._room.settings.ice_now()
        ]
        pc = self._pc = RTCPeerConnection(RTCConfiguration(servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        pc.on("track", self._on_track)
        pc.on("datachannel", self._on_channel)
        pc.on("connectionstatechange", self._on_state)
        picture = self._add_lines(pc, offer)
        try:
            await pc.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            answer = await pc.createAnswer()
            if picture is not None and answer is not None:
                self._own_encoders(pc, picture, answer.sdp)
            for transceiver in pc.getTransceivers():
                make_prompt(transceiver.receiver)
                if transceiver.kind == "audio":
                    make_direct(transceiver.receiver)
            await pc.setLocalDescription(answer)
        except Exception as error:  # whatever aiortc trips over in an offer that is well-formed and makes no sense
            log.warning("an offer could not be answered (%s)", type(error).__name__)  # its words may be the page's
            raise ProtocolError("the offer has nothing in common with this server; use VP8 or H.264 and Opus") from error
        local: str = pc.localDescription.sdp
        if "\na=candidate:" not in local:
            log.warning("a page cannot be given media: no UDP port is free, or no address of this machine can be used")
            raise NoPortError("the server has no free UDP port for picture and sound; try again when somebody has left")
        return local

    async def close(self) -> None:
        """End the connection and everything that feeds it. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._settling is not None:
            self._settling.cancel()
        if self._view is not None:
            self._view.close()
        if self._drive is not None:
            self._room.drives.close(self._drive)
        self._room.sound.close(self.member)
        for task in self._tasks:
            task.cancel()
        if self._pc is not None:
            await aiortc_fixes.close(self._pc, CLOSE_TIMEOUT)

    def send(self, message: ToPage) -> None:
        """Send on the data channel; dropped while it is not open or the page does not read."""
        channel = self._channel
        if channel is not None and channel.readyState == "open" and channel.bufferedAmount < BACKLOG:
            with suppress(ValueError):  # longer than the page said it can take
                channel.send(encode(message))

    @property
    def sound_lines(self) -> dict[str, int]:
        """The participant whose voice comes on each media line, as `SoundLines` tells the page."""
        voices = self._room.sound.voices_of(self.member)
        return {mid: voice for mid, voice in zip(self._line_mids, voices, strict=False) if voice is not None}

    @property
    def draws(self) -> bool:
        """Whether the page draws by itself, so that no pictures are made for it."""
        return self._place.draws

    @property
    def is_private(self) -> bool:
        """Whether landmarks come from the page, so that no picture of its webcam is tracked."""
        return self._drive is not None and self._drive.is_followed

    @property
    def target_bitrate(self) -> int:
        """Bits a second that its encoder aims at."""
        return 0 if self._encoder is None else self._encoder.rate

    def send_labels(self) -> None:
        """Tell the page who is where in its picture, when that has changed."""
        if self._view is not None and self._channel is not None:
            self._labelled = time.monotonic()
            labels = self._room.labels(self._view.request)
            if labels != self._labels:
                self._labels = labels
                self.send(labels)

    async def send_stats(self) -> None:
        """Tell the page how its picture is doing; call it once a second."""
        worker, measured = self._room.worker, self._room.worker.times.medians()
        if self._encoder is not None:
            measured |= self._encoder.times.medians()
        stages = {stage: measured[stage] for stage in STAGES if stage in measured}
        fps = 0.0 if self._view is None else self._view.times.rate("picture")
        bitrate = 8.0 * await self._bytes_since_last()
        face, calibrating = self._participant in worker.driven, self._participant in worker.calibrating
        self.send(Stats(round(fps, 1), stages, bitrate, face, calibrating, worker.ready))

    # Setting up

    def _add_lines(self, pc: RTCPeerConnection, offer: CheckedOffer) -> RTCRtpTransceiver | None:
        """A transceiver for each of the page's sections, in order; returns the one that sends the picture."""
        picture: RTCRtpTransceiver | None = None
        heard = [line for line in offer.lines if line.kind == "audio" and line.page_receives][:MAX_SOUND_LINES]
        self._lines = self._open_sound(len(heard))
        waiting = list(self._lines)
        for line in offer.lines:
            track: MediaStreamTrack | None = None
            if line.page_receives and line.kind == "video" and picture is None:
                track = self._picture_track()
            elif line in heard and waiting:
                track = waiting.pop(0)
            transceiver = pc.addTransceiver(track or line.kind, direction=self._direction(line, track))
            if line.kind == "video":
                codecs = RTCRtpSender.getCapabilities("video").codecs  # VP8 comes first, then H.264, unless a GPU encodes it
                transceiver.setCodecPreferences(nvenc.preferred(codecs))
                picture = picture or (transceiver if track is not None else None)
        return picture

    def _open_sound(self, count: int) -> list[SoundLine]:
        """What the page hears, on at most `count` lines."""
        return self._room.sound.open(self.member, count)

    def _direction(self, line: MediaLine, track: MediaStreamTrack | None) -> str:
        receives = line.page_sends and self._participant >= 0
        if track is not None:
            return "sendrecv" if receives else "sendonly"
        return "recvonly" if receives else "inactive"

    def _picture_track(self) -> AvatarTrack:
        track = self._track = AvatarTrack()
        request = ViewRequest(self._participant, frame=_frame(self._place))
        self._view = self._room.worker.open_view(track.deliver, request, drawn=not self._place.draws)
        self._pause()
        return track

    def _own_encoders(self, pc: RTCPeerConnection, picture: RTCRtpTransceiver, answer: str) -> None:
        codecs: dict[str | None, str] = {
            m.rtp.muxId: m.rtp.codecs[0].name.lower() for m in SessionDescription.parse(answer).media if m.rtp.codecs
        }
        self._sender = picture.sender
        self._encoder = make_live(picture.sender, codecs[picture.mid], self._room.settings.max_bitrate).encoder
        for transceiver in pc.getTransceivers():
            if transceiver.sender.track in self._lines:
                self._line_mids.append(str(transceiver.mid))
                make_speech_sender(transceiver.sender)

    # What comes in

    def _on_track(self, track: MediaStreamTrack) -> None:
        if self._participant < 0:
            return
        if track.kind == "video":
            self._spawn(feed_webcam(track, partial(self._room.worker.submit, self._participant), self._room.feeder))
        else:
            self._spawn(self._room.sound.feed(self._participant, track, muted=self._muted))

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label == CHANNEL and (self._channel is None or self._channel.readyState != "open"):
            self._channel = channel
            self._labels = Labels()
            channel.on("message", self._on_message)

        elif channel.label == driving.CHANNEL and (self._drive is None or not self._drive.is_open):
            drives, own = self._room.worker.drives, self._participant
            self._drive = DriveLine(channel, own, partial(drives.send, own), partial(drives.follow, own), self._events.malformed)
            self._pause()

    def _on_message(self, text: str | bytes) -> None:
        if self._closed:
            return
        try:
            self._obey(decode(text))
        except ProtocolError as error:
            self._events.malformed(str(error))

    def _obey(self, message: FromPage) -> None:
        match message:
            case Ping(sent):
                self._events.ping()
                self.send(Pong(sent))
            case ViewerCamera() as camera:
                if self._view is not None:
                    request = ViewRequest(
                        self._participant, camera.orbit, camera.focus, camera.yaw, camera.pitch, camera.distance,
                        _frame(self._place),
                    )  # fmt: skip
                    self._look(request.within_limits())
            case ViewerFrame(place):
                self._place = place
                if self._view is not None:
                    self._look(replace(self._view.request, frame=_frame(place)))
            case PictureHeld(held) if isinstance(self._sender, LiveSender):
                self._sender.hold_pictures(held)
            case PictureHeld():
                pass  # it is sent no picture
            case Recalibrate() if self._participant >= 0:
                self._room.worker.recalibrate(self._participant)
            case _:
                raise ProtocolError(
                    "viewer_camera, viewer_frame, picture_held, ping or a participant's recalibrate was expected here, "
                    "something else came"
                )

    def _look(self, request: ViewRequest) -> None:
        """Show that; and once the camera rests, what others nearby see too."""
        assert self._view is not None
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        self._view.look(request, drawn=not self._place.draws)
        self._pause()
        if request.orbit and request.snapped() != request:
            self._settling = asyncio.get_running_loop().call_later(SETTLE, self._settle, request.snapped())
        if time.monotonic() - self._labelled > LABELS_EVERY:
            self.send_labels()

    def _settle(self, request: ViewRequest) -> None:
        assert self._view is not None
        self._view.look(request, drawn=not self._place.draws)
        self._pause()

    def _pause(self) -> None:
        """Draw and send nothing while nobody looks; send drive frames while the page draws."""
        place = self._place
        if self._track is not None:
            self._track.paused = place.draws or not place.seen
        if self._view is not None and not place.seen:
            self._view.pause()
        if self._drive is not None and not self._closed:
            (self._room.drives.open if self.draws and place.seen else self._room.drives.close)(self._drive)

    def _on_state(self) -> None:
        if self._pc is not None and self._pc.connectionState in ("failed", "closed") and not self._closed:
            self._events.ended()

    async def _bytes_since_last(self) -> int:
        receivers = [] if self._pc is None else self._pc.getReceivers()
        return await self._meter.sample(self._sender, receivers)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a media task ended with an error", exc_info=error)


def _frame(place: Place) -> Framing:
    return Framing(place.width, place.height, NAMES.index(place.background), place.mask)
