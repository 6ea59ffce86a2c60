"""A camera (WHIP) and a player (WHEP) without a browser: HTTP by httpx, media by aiortc."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from server.call import aiortc_fixes

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"


class HttpMedia:
    """`async with HttpMedia(url, ...) as media:` has a session until the block ends.

    `reply` is the answer to the offer. `picture` is the newest picture, `pictures` counts them; `loudest` is the loudest sample
    since it was set to 0.
    """

    def __init__(self, url: str, bearer: str = "", *, tracks: tuple[MediaStreamTrack, ...] = ()) -> None:
        """tracks: to send (WHIP); without any, picture and sound are received (WHEP)."""
        self.headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        self._url, self._tracks = httpx.URL(url), tracks
        self.pc = RTCPeerConnection(RTCConfiguration([], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.pc.on("track", lambda track: self._tasks.append(asyncio.ensure_future(self._watch(track))))
        self.picture: av.VideoFrame | None = None
        self.pictures = self.sounds = self.loudest = 0
        self._tasks: list[asyncio.Future[Any]] = []
        self.reply: httpx.Response

    async def __aenter__(self) -> Self:
        await self.begin()
        assert self.reply.status_code == 201, self.reply.text
        await self.pc.setRemoteDescription(RTCSessionDescription(self.reply.text, "answer"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.send("DELETE")
        await self.vanish()

    async def offer(self) -> str:
        """The SDP offer."""
        for track in self._tracks:
            self.pc.addTransceiver(track, direction="sendonly")
        for kind in () if self._tracks else ("video", "audio"):
            self.pc.addTransceiver(kind, direction="recvonly")
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def begin(self) -> None:
        """Make the offer; the server's answer is in `reply`."""
        sdp = await self.offer()
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            self.reply = await client.post(self._url, content=sdp, headers={"content-type": SDP, **self.headers})

    async def send(self, method: str, body: str = "", **headers: str) -> httpx.Response:
        """A request to the session. headers: with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            place = self._url.join(self.reply.headers["location"])
            return await client.request(method, place, content=body, headers={**self.headers, **named})

    async def vanish(self) -> None:
        """Close without a word to the server by HTTP."""
        for task in self._tasks:
            task.cancel()
        await aiortc_fixes.close(self.pc, 2.0)

    async def _watch(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.picture, self.pictures = frame, self.pictures + 1
                elif isinstance(frame, av.AudioFrame):
                    self.sounds += 1
                    self.loudest = max(self.loudest, int(np.abs(frame.to_ndarray()).max()))
        except MediaStreamError:
            return
