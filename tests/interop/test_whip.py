"""WHIP and WHEP with programs that are not ours: GStreamer (whip/camera.py), Eyevinn's web client, and a plain player in
Chromium.

The pages are of another site than the server, so CORS is tried too.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.call.protocol import Join, RoomState
from server.call_client import CallClient
from tests.interop.chromium import Chromium, ChromiumPage
from tests.server.call.serving import Running, running, until
from tests.server.call.test_call import Tone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FOLDER = Path(__file__).parent / "whip"
TOOLS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
SYSTEM_PYTHON = "/usr/bin/python3"
GSTREAMER = "python3-gi gir1.2-gst-plugins-bad-1.0 gstreamer1.0-nice gstreamer1.0-plugins-{good,bad,ugly}"
"""Debian's packages."""


def has_gstreamer() -> bool:
    """Whether the system's Python has GStreamer with WebRTC."""
    tried = "import gi; gi.require_version('GstWebRTC', '1.0'); from gi.repository import Gst; Gst.init(None); " + "".join(
        f"assert Gst.ElementFactory.find('{name}'); " for name in ("webrtcbin", "nicesrc", "vp8enc", "x264enc", "opusenc")
    )
    if not Path(SYSTEM_PYTHON).exists():
        return False
    return subprocess.run([SYSTEM_PYTHON, "-c", tried], capture_output=True, timeout=60, check=False).returncode == 0


def people(page: CallClient) -> list[str]:
    return [person.name for person in page.said[RoomState].people]


async def is_driven(server: Running, page: CallClient, name: str) -> int:
    """The participant of that name, once its webcam moves its avatar and its voice is heard."""
    await until(lambda: name in people(page))
    number = next(person.id for person in page.said[RoomState].people if person.name == name)
    await until(lambda: number in server.room.worker.driven and page.voices.get(number, 0) > 1000)
    return int(number)


@asynccontextmanager
async def gstreamer(server: Running, codec: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A camera and microphone of GStreamer until the block ends."""
    process = await asyncio.create_subprocess_exec(
        SYSTEM_PYTHON, FOLDER / "camera.py", f"{server.base}/whip?name=GStreamer", server.key("person"), codec,
        stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.skipif(not has_gstreamer(), reason="GStreamer's webrtcbin with python3-gi is not installed, see GSTREAMER")
@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_gstreamer_is_a_camera(codec: str) -> None:
    async with running() as server, server.page("host", Join("Ada")) as ada:
        async with gstreamer(server, codec) as process:
            await is_driven(server, ada, "GStreamer")
            assert process.stdin is not None
            process.stdin.close()
            await until(lambda: people(ada) == ["Ada"])  # it has said so
            assert await process.wait() == 0
        async with gstreamer(server, codec):
            await is_driven(server, ada, "GStreamer")
        await until(lambda: people(ada) == ["Ada"])  # it was killed


@asynccontextmanager
async def site(chromium_pages: Chromium) -> AsyncIterator[ChromiumPage]:
    """An empty page of another site."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<!doctype html>")
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as other, chromium_pages.page() as page:
        await page.open(f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}/")
        yield page


PLAY = """async ([url, key]) => {
  const pc = window.pc = new RTCPeerConnection();
  const stream = new MediaStream();
  pc.ontrack = event => stream.addTrack(event.track);
  pc.addTransceiver('video', { direction: 'recvonly' });
  pc.addTransceiver('audio', { direction: 'recvonly' });
  await pc.setLocalDescription();
  const headers = { 'Content-Type': 'application/sdp', Authorization: `Bearer ${key}` };
  const reply = await fetch(url, { method: 'POST', headers, body: pc.localDescription.sdp });
  window.session = new URL(reply.headers.get('Location'), url).href;
  await pc.setRemoteDescription({ type: 'answer', sdp: await reply.text() });
  const video = window.video = document.body.appendChild(document.createElement('video'));
  video.srcObject = stream;
  video.play();
  return reply.headers.get('Link');
}"""
PLAYED = """async () => {
  const reports = [...(await pc.getStats()).values()].filter(report => report.type === 'inbound-rtp');
  const of = kind => reports.find(report => report.kind === kind) || {};
  return { width: video.videoWidth, time: video.currentTime, frames: of('video').framesDecoded || 0,
           energy: of('audio').totalAudioEnergy || 0 };
}"""


@pytest.mark.e2e
async def test_chromium_plays_a_room_with_a_plain_script(chromium_pages: Chromium) -> None:
    async with running() as server, server.page("host", Join("Ada"), microphone=Tone()) as ada, site(chromium_pages) as page:
        link = await page._page.evaluate(PLAY, [f"{server.base}/whep", server.key("viewer")])
        assert "digitalsourcetype" in link
        played: dict[str, Any] = {}
        while not (played.get("frames", 0) > 20 and played["energy"] > 1e-4 and played["time"] > 0.5):
            await asyncio.sleep(0.2)
            played = await page.run(PLAYED)
        assert played["width"] == server.config.width and ada.said[RoomState].viewers == 1
        assert await page.run("async () => (await fetch(session, { method: 'DELETE' })).status") == 401
        headers = json.dumps({"Authorization": f"Bearer {server.key('viewer')}"})
        assert await page.run(f"async () => (await fetch(session, {{ method: 'DELETE', headers: {headers} }})).status") == 200
        await until(lambda: ada.said[RoomState].viewers == 0)


def client_files() -> dict[str, str]:
    """Eyevinn's client and what it needs, as CommonJS modules by the names that they ask for each other."""
    modules = FOLDER / "node_modules"
    if not (modules / ".package-lock.json").exists():
        npm = shutil.which("npm", path=TOOLS)
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        done = npm and subprocess.run(
            [npm, "ci", *options], cwd=FOLDER, env=os.environ | {"PATH": TOOLS}, capture_output=True, timeout=240, check=False
        )
        if not done or done.returncode:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(
                "@eyevinn/whip-web-client is missing; `make viewers` installs it"
            )
    files = {
        "client": "@eyevinn/whip-web-client/dist/whip-client.js",
        "events": "events/events.js",
        "sdp-transform": "sdp-transform/lib/index.js",
        **{f"./{part}": f"sdp-transform/lib/{part}.js" for part in ("parser", "writer", "grammar")},
    }
    return {name: (modules / path).read_text() for name, path in files.items()}


SEND = """async ([files, endpoint, authkey]) => {
  const loaded = {};
  const load = name => {
    if (!(name in loaded)) {
      const module = loaded[name] = { exports: {} };
      new Function('require', 'module', 'exports', files[name])(load, module, module.exports);
    }
    return loaded[name].exports;
  };
  const { WHIPClient } = load('client');
  window.client = new WHIPClient({ endpoint, opts: { authkey, iceServers: [], timeout: 300 } });
  await client.ingest(await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 }, audio: true }));
}"""


@pytest.mark.e2e
async def test_a_public_web_client_is_a_camera(chromium_pages: Chromium) -> None:
    files = client_files()
    async with running() as server, server.page("host", Join("Ada")) as ada, site(chromium_pages) as page:
        await page._page.evaluate(SEND, [files, f"{server.base}/whip?name=Eyevinn", server.key("person")])
        await is_driven(server, ada, "Eyevinn")
        await page.run("() => client.destroy()")
        await until(lambda: people(ada) == ["Ada"])
