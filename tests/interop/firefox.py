"""Drives Firefox as Debian ships it by its remote protocol, W3C WebDriver BiDi: playwright drives only Firefoxes of its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.interop.probe import WATCH

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
XVFB = shutil.which("Xvfb")
PREFERENCES = {
    "media.navigator.permission.disabled": True,
    "webgl.force-enabled": True,
    "media.navigator.streams.fake": True,
    "media.autoplay.default": 0,
    "media.peerconnection.ice.loopback": True,
    "media.gmp-manager.updateEnabled": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
}
START, STOP = 40.0, 5.0
"""Seconds that it may take to start, and to stop."""


class Firefox:
    """A running Firefox. `version` is what it calls itself."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers, self._turn = socket, itertools.count(1), asyncio.Lock()
        self.version = ""

    async def start(self) -> None:
        """Begin a session."""
        session = await self.command("session.new", capabilities={})
        self.version = session["capabilities"]["browserVersion"]

    async def command(self, method: str, **parameters: Any) -> Any:
        """The command's result. Raises `RuntimeError` with Firefox's own words."""
        async with self._turn:
            number = next(self._numbers)
            await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
            answer: dict[str, Any] = {}
            while answer.get("id") != number:
                answer = json.loads(await self._socket.recv())
        if answer["type"] != "success":
            raise RuntimeError(f"{method}: {answer.get('message')}")
        return answer["result"]

    @asynccontextmanager
    async def page(self, **options: Any) -> AsyncIterator[FirefoxPage]:
        """A window with nothing remembered, until the block ends. options: of `WATCH`; `before`, a function that runs in the page
        before its own scripts."""
        before = options.pop("before", "")
        user = (await self.command("browser.createUserContext"))["userContext"]
        created = await self.command("browsingContext.create", type="window", userContext=user)
        watch = f"() => ({WATCH})({json.dumps(options)})"
        await self.command("script.addPreloadScript", functionDeclaration=watch, contexts=[created["context"]])
        if before:
            await self.command("script.addPreloadScript", functionDeclaration=before, contexts=[created["context"]])
        try:
            yield FirefoxPage(self, created["context"])
        finally:
            await self.command("browsingContext.close", context=created["context"])
            await self.command("browser.removeUserContext", userContext=user)


class FirefoxPage:
    """See `BrowserPage`."""

    def __init__(self, firefox: Firefox, context: str) -> None:
        self._firefox, self._context = firefox, context

    async def open(self, url: str) -> None:
        """See `BrowserPage`."""
        await self._firefox.command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def run(self, function: str) -> Any:
        """See `BrowserPage`."""
        answer = await self._firefox.command(
            "script.callFunction", functionDeclaration=function, awaitPromise=True, target={"context": self._context}
        )
        if answer["type"] != "success":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")


@asynccontextmanager
async def screen() -> AsyncIterator[str]:
    """The name of a display that nobody sees, until the block ends: without one Firefox has no WebGL."""
    assert XVFB is not None
    process = await asyncio.create_subprocess_exec(
        XVFB, "-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START):
            number = (await process.stdout.readline()).decode().strip()
        yield f":{number}"
    finally:
        await _stop(process)


@asynccontextmanager
async def firefox(display: str = "") -> AsyncIterator[Firefox]:
    """A Firefox with a fake camera and microphone, in a profile of its own, until the block ends. display: to draw on, with WebGL
    in software; headless without one."""
    assert FIREFOX is not None
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()]
        (Path(folder) / "user.js").write_text("".join(lines), encoding="utf-8")
        headless = [] if display else ["--headless"]
        arguments = [*headless, "--no-remote", "--profile", folder, "--remote-debugging-port", "0", "about:blank"]
        process = await asyncio.create_subprocess_exec(
            FIREFOX,
            *arguments,
            env=os.environ | {"HOME": folder, "DISPLAY": display},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        reading: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(START):
                address = await _address(process)
            reading = asyncio.create_task(_drain(process))
            async with connect(f"{address}/session", max_size=None) as socket:
                running = Firefox(socket)
                await running.start()
                yield running
        finally:
            if reading is not None:
                reading.cancel()
            await _stop(process)


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        found = re.search(rb"ws://\S+", line)
        if found:
            return found[0].decode()
    raise RuntimeError("Firefox ended before it listened")


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    async for _ in process.stderr:
        pass


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP)
    except TimeoutError:
        process.kill()
        await process.wait()
