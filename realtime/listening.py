"""The work behind `visavis listen`: the packets of Live Link Face become a recording of drive frames."""

from __future__ import annotations

import dataclasses
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import outputs
from models.errors import ClipError, ProtocolError, VisavisError
from models.exchange import drive_recording, live_link_face
from models.progress import ProgressCallback, no_progress
from models.types import DriveFrame
from realtime.offline import RECORDING

LOOPBACK = "127.0.0.1"
WAIT = 0.2
"""Seconds between two looks at the clock while nothing comes."""


@dataclass(frozen=True)
class ListenSummary:
    """frames: written. refused: packets that were none of the app's, or from another sender than the first."""

    frames: int
    refused: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def listen(
    out: Path,
    seconds: float,
    host: str = LOOPBACK,
    port: int = live_link_face.PORT,
    progress: ProgressCallback = no_progress,
) -> ListenSummary:
    """Take the packets that come to a UDP port for so many seconds, and write their frames to `out` (.jsonl), as
    `visavis drive --drive-frames` reads them. Only the first sender is listened to.

    Raises `StorageError`, `ClipError` when no frame comes, and `VisavisError` when the address cannot be listened at.
    """
    outputs.check(out, RECORDING)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        try:
            receiver.bind((host, port))
        except (OSError, OverflowError) as error:
            raise taken(host, port, error) from None
        receiver.settimeout(WAIT)
        drives, refused = _received(receiver, seconds, progress)
    if not drives:
        raise ClipError(f"packets of Live Link Face with a face were expected at port {port}, none came; check the app's target")
    recording = drive_recording.in_order(out, drives)
    drive_recording.write(out, recording.drives)
    return ListenSummary(len(recording.drives), refused)


def taken(host: str, port: int, error: Exception) -> VisavisError:
    """What to tell of a port that cannot be listened at."""
    reason = getattr(error, "strerror", None) or error
    return VisavisError(f"packets were expected at port {port} of {host}, which cannot be had ({reason}); take another")


def _received(receiver: socket.socket, seconds: float, progress: ProgressCallback) -> tuple[list[DriveFrame], int]:
    drives: list[DriveFrame] = []
    sender, refused, start = None, 0, time.monotonic()
    while (passed := time.monotonic() - start) < seconds and len(drives) < drive_recording.MAX_FRAMES:
        progress("listening", passed / seconds)
        try:
            data, address = receiver.recvfrom(live_link_face.MAX_PACKET + 1)
        except TimeoutError:
            continue
        try:
            drive = live_link_face.read_packet(data) if sender in (None, address) else None
        except ProtocolError:
            refused += 1
            continue
        refused += sender not in (None, address)
        sender = sender or address
        if drive is not None:
            drives.append(drive)
    return drives, refused
