"""`client_web/src/drive/format.ts`: the numbers of drive frames' bytes, of `models/exchange/drive_frames.py`, for the page."""

from __future__ import annotations

from pathlib import Path

from models import arkit
from models.exchange import drive_frames as drives
from models.exchange import landmark_frames as landmarks

TARGET = Path(__file__).resolve().parents[2] / "client_web" / "src" / "drive" / "format.ts"
_HEADER = """\
// Generated from models/exchange/drive_frames.py by `python -m server.call.generate_protocol`. Change that file, not this one.
"""
_NUMBERS = {
    "VERSION": drives.VERSION,
    "DRIVE_FRAMES": drives.KIND,
    "LANDMARK_FRAMES": landmarks.KIND,
    "HEADER_BYTES": drives.HEADER.size,
    "SHORTEST": drives.SHORTEST,
    "LONGEST": drives.LONGEST,
    "MOST": drives.MOST,
    "COEFFICIENTS": arkit.COUNT,
    "ROTATION_STEPS": drives.ROTATION_STEPS,
    "TRANSLATION_STEPS": drives.TRANSLATION_STEPS,
    "GAZE_STEPS": drives.GAZE_STEPS,
    "BYTE_STEPS": drives.BYTE_STEPS,
    "LARGEST_AT": drives.LARGEST_AT,
    "MAX_TRANSLATION": drives.MAX_TRANSLATION,
    "MAX_GAZE": drives.MAX_GAZE,
    "MAX_REST": drives.MAX_REST,
}


def render() -> str:
    """The whole file as text."""
    return "\n".join(
        [
            _HEADER,
            "".join(f"export const {name} = {value};\n" for name, value in _NUMBERS.items()),
            "/** Where in a record each of its parts begins, bytes. */",
            _table("AT", drives.OFFSETS),
            "/** What a frame says something about, bits of `DriveFrame.known`: see `KnownParts` there. */",
            _table("Known", {str(known.name): int(known) for known in drives.KnownParts}),
        ]
    )


def _table(name: str, values: dict[str, int]) -> str:
    return f"export const {name} = {{ {', '.join(f'{key}: {value}' for key, value in values.items())} }} as const;\n"
