"""werift, WebRTC written in TypeScript, without a browser: as a viewer and as a participant (werift/peer.mjs)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from server.call.protocol import Join
from tests.fakes import flat_color
from tests.interop.scenario import avatar_id
from tests.server.call.serving import Running, running, until
from tests.server.call.test_call import Tone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FOLDER = Path(__file__).parent / "werift"
TOOLS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
YAW = 1.2


@pytest.fixture(scope="module")
def node() -> str:
    """Node, with werift installed as package-lock.json says."""
    found, npm = shutil.which("node", path=TOOLS), shutil.which("npm", path=TOOLS)
    problem = ""
    if found is None or npm is None:
        problem = "node and npm were expected, to join a room with werift; `make viewers` installs them"
    elif not (FOLDER / "node_modules" / ".package-lock.json").exists():
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        environment = os.environ | {"PATH": TOOLS}
        done = subprocess.run([npm, "ci", *options], cwd=FOLDER, env=environment, capture_output=True, timeout=240, check=False)
        problem = "werift could not be installed; `npm ci` in tests/interop/werift says why" if done.returncode else ""
    if problem or found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(problem)
    return found


class WeriftPage:
    """What the peer has told so far. picture: the newest. told: the server's last message of each
    type. voices: media lines on which sound came. states: of the peer connection."""

    def __init__(self, codec: str) -> None:
        self.picture: av.VideoFrame | None = None
        self.told: dict[str, dict[str, Any]] = {}
        self.voices: set[str] = set()
        self.states: list[str] = []
        self._decoder: Any = av.CodecContext.create(codec.lower(), "r")

    async def read(self, lines: asyncio.StreamReader) -> None:
        """Until the peer ends."""
        async for line in lines:
            match json.loads(line):
                case {"frame": frame}:
                    self.picture = next(iter(self._decoder.decode(av.Packet(base64.b64decode(frame)))), self.picture)
                case {"told": message}:
                    self.told[message["type"]] = message
                case {"voice": mid}:
                    self.voices.add(mid)
                case {"state": state}:
                    self.states.append(state)

    def shows(self, brightness: float, yaw: float) -> bool:
        """Whether the newest picture is what the fake pipeline draws for that webcam and view."""
        if self.picture is None:
            return False
        middle = self.picture.to_ndarray(format="rgb24")[self.picture.height // 2, self.picture.width // 2].astype(int)
        return bool(np.abs(middle - flat_color(brightness, yaw)).max() <= 12)


@asynccontextmanager
async def werift(node: str, server: Running, codec: str, avatar: str, camera: dict[str, Any]) -> AsyncIterator[WeriftPage]:
    """A participant, or a viewer without an avatar, until the block ends."""
    key = server.key("person" if avatar else "viewer")
    how = {"url": server.socket, "key": key, "codec": codec, "avatar": avatar, "camera": camera}
    process = await asyncio.create_subprocess_exec(
        node,
        "peer.mjs",
        json.dumps(how),
        cwd=FOLDER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    assert process.stdin is not None and process.stdout is not None
    page = WeriftPage(codec)
    reading = asyncio.create_task(page.read(process.stdout))
    try:
        yield page
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
        await reading


@pytest.mark.parametrize(("codec", "avatar"), [("VP8", "me"), ("H264", "me"), ("VP8", "")])
async def test_werift_sees_hears_and_looks_around_and_sends_as_much(node: str, codec: str, avatar: str) -> None:
    async with running() as server, server.page("host", Join("Ada"), microphone=Tone()) as ada:
        camera = {"orbit": True, "focus": ada.welcome.participant, "yaw": YAW}
        async with werift(node, server, codec, avatar and avatar_id(server, avatar), camera) as page:
            await until(lambda: page.shows(server.brightness, YAW) and bool(page.voices) and {"pong", "stats"} <= set(page.told))
            assert page.states[-1] == "connected"
            assert set(page.told["sound_lines"]["lines"]) == page.voices
            assert [p["name"] for p in page.told["room_state"]["people"]] == ["Ada", "werift"][: 1 + bool(avatar)]
            assert page.told["labels"]["labels"][0]["participant"] == ada.welcome.participant
            if avatar:
                own = page.told["welcome"]["participant"]
                await until(lambda: own in server.room.worker.driven and ada.voices.get(own, 0) > 1000)
