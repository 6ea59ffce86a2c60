"""A capture from a folder with a `transforms.json`, in nerfstudio's layout and VHAP's extension of it.

Read of each entry of "frames": `file_path`, `transform_matrix` (4x4 camera to world, OpenGL axes), `fl_x fl_y cx cy w h` or
`camera_angle_x` (each also at the top level), and VHAP's `fg_mask_path` and `timestep_index`. VHAP's FLAME parameters say
nothing on another rig; where the head is and which face it makes comes from Visavis' own keys in an entry,

    "head_to_world": 4x4 avatar space to world, "coefficients": {ARKit name: value}, "gaze": 2x2 radians, "normal_path": PNG
    with world normals as (n + 1) / 2,

or, where they are missing, from the face's landmarks (`enrollment.reconstruction.frame_fit`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image

from enrollment.clip_capture import portrait_cost
from enrollment.photo.reader import read_photo
from enrollment.reconstruction.capture import OPENGL, Capture, Frame, Pixels
from enrollment.reconstruction.frame_fit import fit_frame
from models import arkit
from models.errors import CaptureError, PhotoError
from models.heads.base import PersonHead, Pose
from models.posture import body_under
from models.tracking.landmarks import Landmarks, detect_faces
from models.tracking.matting import matte
from models.types import Array, Array64, Camera

NAME = "transforms.json"
MAX_BYTES, MAX_FRAMES, MAX_SIDE = 64 << 20, 20_000, 16_384
UNKNOWN_NORMAL = 0.5
"""A decoded normal shorter than this is none."""
MOST_PORTRAITS = 48
"""Pictures among which the portrait is chosen."""
PIXEL_BYTES, SPARE = 7, 0.6
"""Memory of a pixel (colour and matte), and the part of the free memory that pictures may take."""


@dataclass(frozen=True)
class _Entry:
    """One entry of "frames", its camera, and the file of its picture."""

    values: dict[str, Any]
    camera: Camera
    path: Path


def read_folder(folder: Path, person: PersonHead) -> Capture:
    """The frames that `folder`/transforms.json lists; those that cannot be used are left out with a warning.

    Raises `CaptureError` when there is no such file, when it is malformed, when the pictures do not fit into the memory, or when
    no frame can be used.
    """
    frames: list[Frame] = []
    warnings: list[str] = []
    entries = _entries(folder)
    _require_memory(entries)
    for instant in _instants(entries):
        made, skipped = _frames_of(folder, instant, person)
        frames += made
        warnings += skipped
    try:
        capture = Capture.of_frames(frames, person)
    except CaptureError as error:
        why = f"; {warnings[0]}" if warnings and not frames else ""
        raise CaptureError(f"{folder / NAME} gave no avatar: {error}{why}") from None
    return Capture(capture.frames, (*warnings, *capture.warnings))


def select_portrait(folder: Path) -> Pixels:
    """The picture (H, W, 3) uint8 that shows the face most frontal, eyes open, mouth shut, among at most `MOST_PORTRAITS`.

    Raises `CaptureError` when none of them shows a face.
    """
    entries = _entries(folder)
    least, chosen = np.inf, None
    for index in np.unique(np.linspace(0, len(entries) - 1, MOST_PORTRAITS).astype(int)):
        try:
            image = read_photo(entries[index].path)[0]
        except PhotoError:
            continue
        faces = detect_faces(image, max_faces=1)
        if faces and (cost := portrait_cost(faces[0])) < least:
            least, chosen = cost, image
    if chosen is None:
        raise CaptureError(
            f"a picture with a face was expected in {folder / NAME}, none was found; name a photo of the person besides"
        )
    return chosen


def _entries(folder: Path) -> list[_Entry]:
    document = _document(folder)
    return [
        _Entry(values, _camera(values, document, index), _inside(folder, values, "file_path", index))
        for index, values in enumerate(document["frames"])
    ]


def _require_memory(entries: Sequence[_Entry]) -> None:
    needed = sum(e.camera.width * e.camera.height for e in entries) * PIXEL_BYTES
    free = psutil.virtual_memory().available
    if needed > SPARE * free:
        raise CaptureError(
            f"about {needed / 2**30:.1f} GB of memory were expected to be free for the {len(entries)} pictures of {NAME}, "
            f"{free / 2**30:.1f} GB are; list fewer frames or shrink the pictures"
        )


def _document(folder: Path) -> dict[str, Any]:
    path = folder / NAME
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CaptureError(f"a {NAME} of at most {MAX_BYTES >> 20} MB was expected in {folder}; split the capture")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise CaptureError(
            f"a {NAME} was expected in {folder}, which cannot be read ({error.strerror}); check the folder"
        ) from None
    except (ValueError, RecursionError):
        raise CaptureError(f"{path} is not readable JSON; export the capture again") from None
    entries = document.get("frames") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_FRAMES or not all(isinstance(e, dict) for e in entries):
        raise CaptureError(f"{path} should list 1 to {MAX_FRAMES} frames; export the capture again")
    return dict(document)


def _inside(folder: Path, entry: dict[str, Any], key: str, index: int | None = None) -> Path:
    """The file that an entry names, which must lie in the folder."""
    name, which = entry.get(key), "a frame" if index is None else f"frame {index + 1}"
    if not isinstance(name, str) or "\0" in name:
        raise CaptureError(f"{which} in {folder / NAME} has no {key!r}; export the capture again")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise CaptureError(f"{which} in {folder / NAME} names a file outside the folder; move it inside")
    return path


def _camera(entry: dict[str, Any], document: dict[str, Any], index: int) -> Camera:
    def number(key: str, default: float | None = None) -> float:
        value = entry.get(key, document.get(key, default))
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise CaptureError(f"frame {index + 1} in {NAME} has no number for {key!r}; export the capture again")
        return float(value)

    width, height = int(number("w")), int(number("h"))
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise CaptureError(
            f"frame {index + 1} in {NAME} says {width}x{height} pixels where 1 to {MAX_SIDE} a side are allowed; "
            "export the capture again"
        )
    if "fl_x" in entry or "fl_x" in document:
        fx = number("fl_x")
    else:
        angle = number("camera_angle_x")
        if not 0 < angle < np.pi:
            raise CaptureError(f"frame {index + 1} in {NAME} has a 'camera_angle_x' that is no angle; export the capture again")
        fx = 0.5 * width / float(np.tan(0.5 * angle))
    to_world = _matrix(entry.get("transform_matrix"), f"frame {index + 1} in {NAME} has no 4x4 'transform_matrix'")
    if not abs(np.linalg.det(to_world[:3, :3])) > 1e-9:
        raise CaptureError(f"frame {index + 1} in {NAME} has a 'transform_matrix' without an inverse; export the capture again")
    world_to_camera = OPENGL @ np.linalg.inv(to_world)
    return Camera(width, height, fx, number("fl_y", fx), number("cx", width / 2), number("cy", height / 2), world_to_camera)


def _matrix(value: Any, otherwise: str) -> Array64:
    try:
        m = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        m = np.empty(0)
    if m.shape != (4, 4) or not np.isfinite(m).all():
        raise CaptureError(f"{otherwise}; export the capture again")
    return m


def _instants(entries: Sequence[_Entry]) -> list[list[_Entry]]:
    """Entries of one instant together; without `timestep_index` each is an instant of its own."""
    groups: dict[str, list[_Entry]] = {}
    for index, entry in enumerate(entries):
        step = entry.values.get("timestep_index")
        groups.setdefault(f"alone {index}" if step is None else f"step {step}", []).append(entry)
    return list(groups.values())


def _frames_of(folder: Path, entries: list[_Entry], person: PersonHead) -> tuple[list[Frame], list[str]]:
    """The frames of one instant, all with the same pose and expression, and a warning for each picture that was left out."""
    read: list[tuple[_Entry, Pixels]] = []
    warnings: list[str] = []
    for entry in entries:
        try:
            read.append((entry, read_photo(entry.path)[0]))
        except PhotoError as error:
            warnings.append(f"{entry.path.name} was left out: {error}")
    if not read:
        return [], warnings
    first = read[0][0].values
    if "head_to_world" in first:
        head = _matrix(first["head_to_world"], "a frame's 'head_to_world' is no 4x4 matrix")
        coefficients, gaze = _coefficients(first.get("coefficients", {})), _gaze(first.get("gaze", [[0, 0], [0, 0]]))
    else:
        faces = [(face[0], e.camera) for e, image in read if (face := _detected(image, e.camera))]
        found = fit_frame(person, faces) if faces else None
        if found is None:
            return [], [*warnings, f"{read[0][0].path.name} was left out because no face was found in it"]
        head, coefficients, gaze = found.head, found.coefficients, np.zeros((2, 2), np.float32)
    pose = Pose(head=head, body=body_under(head, person.joints), gaze=gaze)
    frames = []
    for entry, image in read:
        size = (entry.camera.width, entry.camera.height)
        mask, normals = _mask(folder, entry.values, image, size), _normals(folder, entry.values, size)
        frames.append(Frame(image, mask, entry.camera, pose, coefficients, normals, None, _weight(entry.values), entry.path.name))
    return frames, warnings


def _detected(image: Pixels, camera: Camera) -> list[Landmarks]:
    return detect_faces(image, max_faces=1) if image.shape[:2] == (camera.height, camera.width) else []


def _weight(values: dict[str, Any]) -> float:
    weight = values.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise CaptureError(f"a frame's 'weight' in {NAME} should be a number above 0; export the capture again")
    return float(weight)


def _gaze(value: Any) -> Array:
    try:
        gaze = np.asarray(value, np.float32)
    except (TypeError, ValueError):
        gaze = np.empty(0, np.float32)
    if gaze.shape != (2, 2):
        raise CaptureError(f"a frame's 'gaze' in {NAME} should be two rows of yaw and pitch; export the capture again")
    return gaze


def _coefficients(value: Any) -> Array:
    try:
        return np.clip(np.asarray(arkit.vector(**value), np.float32), 0, 1)
    except (KeyError, TypeError, ValueError):
        raise CaptureError(
            f"a frame's 'coefficients' in {NAME} should map ARKit names to numbers; export the capture again"
        ) from None


def _mask(folder: Path, values: dict[str, Any], image: Pixels, size: tuple[int, int]) -> Array:
    """The mask that the entry names, else the person's matte."""
    if "fg_mask_path" not in values:
        return matte(image)
    return _pixels(_inside(folder, values, "fg_mask_path"), size)[..., 0].astype(np.float32) / 255


def _normals(folder: Path, values: dict[str, Any], size: tuple[int, int]) -> Array | None:
    if "normal_path" not in values:
        return None
    n = _pixels(_inside(folder, values, "normal_path"), size).astype(np.float32) / 127.5 - 1
    length = np.linalg.norm(n, axis=2, keepdims=True)
    return np.divide(n, length, out=np.zeros_like(n), where=length > UNKNOWN_NORMAL)


def _pixels(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, 3) of a mask or of normals. The size in the file's header is checked before anything is decoded."""
    try:
        with Image.open(path) as picture:
            if picture.size != size:
                width, height = picture.size
                raise CaptureError(
                    f"a picture of {size[0]}x{size[1]} pixels was expected at {path.name}, it has {width}x{height}; "
                    "export the capture again"
                )
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise CaptureError(f"a picture was expected at {path}, which cannot be read; export the capture again") from None
