"""gsplat made ready beside a server that serves already."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress

from models.splat import ready

log = logging.getLogger(__name__)


async def prepare_gpu() -> None:
    """Let a process of low priority try gsplat, which compiles it where that was not done yet, for minutes; rooms look for what
    came of it themselves. Nothing happens without gsplat. Cancelled, it ends the process with its compilers."""
    if not ready.is_installed():
        return
    if not ready.is_ready():
        log.info("gsplat is made ready; where it has to be compiled that takes minutes, and the processor draws until then")
    words, environment = ready.command()
    nothing = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *words, env=environment, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
        )
    except OSError as error:
        log.warning("gsplat cannot be made ready (%s), so the processor draws", error.strerror or error)
        return
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
    tried = await asyncio.to_thread(ready.last_tried)
    if tried is None:
        log.warning("gsplat is not used, as it could not be tried, so the processor draws; `visavis doctor` says more")
    elif tried.problem:
        log.info("gsplat is not used, as %s, so the processor draws", tried.problem)
    else:
        log.info("gsplat is ready: the GPU draws")
