"""The work behind `visavis drive --drive-frames`: recorded drive frames move an avatar, and the rendered pictures are written."""

from __future__ import annotations

import time
from pathlib import Path

from models import avatar_file, provenance
from models.errors import ClipError, VisavisError
from models.exchange import drive_recording, live_link_face
from models.exchange.drive_recording import DriveRecording
from models.heads.registry import by_name
from models.progress import ProgressCallback, no_progress
from models.tracking.offline import Motion, Reenactment
from models.video.writer import open_writer_of
from realtime.offline import CameraPath, DriveSummary, check_output, pictures, unsigned_note

SIDE = 512
"""Pixels of the pictures."""


def read_frames(path: Path) -> DriveRecording:
    """Drive frames of a file: `.jsonl` (docs/protocol.md), or `.csv` of Live Link Face. Raises `ClipError`."""
    readers = {drive_recording.ENDING: drive_recording.read, live_link_face.ENDING: live_link_face.read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ClipError(f"drive frames were expected in a .jsonl or .csv file, not in {path.name}; take such a file")
    return reader(path)


def drive_with_frames(
    avatar_path: Path,
    frames_path: Path,
    out: Path,
    camera: CameraPath = "front",
    progress: ProgressCallback = no_progress,
    *,
    label: bool = True,
) -> DriveSummary:
    """Let recorded drive frames move the avatar, and write a picture of `SIDE` pixels for each to `out`, as `offline.drive` does
    for the pictures of a clip; the middle of the head's poses faces the camera.

    Raises `AvatarFileError`, `ClipError`, `StorageError`, and what `progress` raises; `out` is then as it was.
    """
    if camera == "tracked":
        raise VisavisError("the cameras front or orbit were expected, as drive frames have no pictures to draw over; choose one")
    start = time.perf_counter()
    progress("opening", 0.0)
    avatar = avatar_file.load(avatar_path)
    model = by_name(avatar.head)
    avatar_file.check(avatar, model)
    recording = read_frames(frames_path)
    count = len(recording.drives)
    check_output(out, SIDE * SIDE * count, [avatar_path, frames_path])
    motion = Motion(recording.drives, (None,) * count, float(SIDE), Reenactment.CROSS)
    with open_writer_of(out, SIDE, SIDE, recording.fps) as writer:
        for i, rgba in enumerate(pictures(avatar, model, motion, SIDE, SIDE, camera)):
            progress("drawing", i / count)
            writer.write(provenance.label(rgba) if label else rgba, recording.drives[i].timestamp)
        progress("done", 1.0)
    took = time.perf_counter() - start
    late = (f"{recording.dropped} frames came later than others in the file and were left out",) if recording.dropped else ()
    return DriveSummary(count, motion.faceless, took, count / took, motion.reenactment, (*late, *unsigned_note(out)))
