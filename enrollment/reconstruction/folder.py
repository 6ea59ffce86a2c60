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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from enrollment.photo.reader import read_photo
from enrollment.reconstruction.capture import OPENGL, Capture, Frame, Pixels
from enrollment.reconstruction.frame_fit import moment_of
from models import arkit
from models.errors import CaptureError, PhotoError
from models.heads.base import PersonHead, Pose
from models.posture import body_under
from models.tracking.landmarks import Landmarks, detect_faces
from models.tracking.matting import matte
from models.types import Array, Array64, Camera

NAME = "transforms.json"
MAX_BYTES, MAX_FRAMES = 64 << 20, 20_000
UNKNOWN_NORMAL = 0.5
"""A decoded normal shorter than this is none."""


def read_folder(folder: Path, person: PersonHead) -> Capture:
    """The frames that `folder`/transforms.json lists; those that cannot be used are left out with a warning.

    Raises `CaptureError` when there is no such file, when it is malformed, or when no frame can be used.
    """
    document = _document(folder)
    entries = document["frames"]
    views = [
        (entry, _camera(entry, document, index), _inside(folder, entry, "file_path", index))
        for index, entry in enumerate(entries)
    ]
    warnings: list[str] = []

    def frames() -> Iterator[Frame]:
        for moment in _moments(views):
            yield from _frames_of(folder, moment, person, warnings)

    try:
        capture = Capture.of_frames(frames(), person)
    except CaptureError as error:
        raise CaptureError(f"{folder / NAME} gave no avatar: {error}") from None
    return Capture(capture.frames, (*warnings, *capture.warnings))


View = tuple[dict[str, Any], Camera, Path]
"""An entry, its camera, and where its picture is."""


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


def _inside(folder: Path, entry: dict[str, Any], key: str, index: int) -> Path:
    """The file that an entry names, which must lie in the folder."""
    name = entry.get(key)
    if not isinstance(name, str):
        raise CaptureError(f"frame {index + 1} in {folder / NAME} has no {key!r}; export the capture again")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise CaptureError(f"frame {index + 1} in {folder / NAME} names a file outside the folder; move it inside")
    return path


def _camera(entry: dict[str, Any], document: dict[str, Any], index: int) -> Camera:
    def number(key: str, default: float | None = None) -> float:
        value = entry.get(key, document.get(key, default))
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise CaptureError(f"frame {index + 1} in {NAME} has no number for {key!r}; export the capture again")
        return float(value)

    width, height = int(number("w")), int(number("h"))
    given = "fl_x" in entry or "fl_x" in document
    fx = number("fl_x") if given else 0.5 * width / np.tan(0.5 * number("camera_angle_x"))
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


def _moments(views: Sequence[View]) -> Iterator[list[View]]:
    """Entries of one instant together; without `timestep_index` each is an instant of its own."""
    groups: dict[Any, list[View]] = {}
    for index, view in enumerate(views):
        groups.setdefault(view[0].get("timestep_index", f"alone {index}"), []).append(view)
    yield from groups.values()


def _frames_of(folder: Path, views: list[View], person: PersonHead, warnings: list[str]) -> Iterator[Frame]:
    """The frames of one instant, all with the same pose and expression."""
    seen: list[tuple[View, Pixels]] = []
    for entry, camera, path in views:
        try:
            seen.append(((entry, camera, path), read_photo(path)[0]))
        except PhotoError as error:
            warnings.append(f"{path.name} was left out: {error}")
    if not seen:
        return
    first = seen[0][0][0]
    if "head_to_world" in first:
        head = _matrix(first["head_to_world"], "a frame's 'head_to_world' is no 4x4 matrix")
        coefficients = _coefficients(first.get("coefficients", {}))
        gaze = np.asarray(first.get("gaze", np.zeros((2, 2))), np.float32)
        if gaze.shape != (2, 2):
            raise CaptureError(f"a frame's 'gaze' in {NAME} should be two rows of yaw and pitch; export the capture again")
    else:
        faces = [(face[0], camera) for (_, camera, _), image in seen if (face := _fitting_face(image, camera))]
        found = moment_of(person, faces) if faces else None
        if found is None:
            warnings.append(f"{seen[0][0][2].name} was left out because no face was found in it")
            return
        head, coefficients, gaze = found.head, found.coefficients, np.zeros((2, 2), np.float32)
    pose = Pose(head=head, body=body_under(head, person.joints), gaze=gaze)
    for (entry, camera, path), image in seen:
        weight = float(entry.get("weight", 1.0))
        yield Frame(
            image, _matte(folder, entry, image), camera, pose, coefficients, _normals(folder, entry), None, weight, path.name
        )


def _fitting_face(image: Pixels, camera: Camera) -> list[Landmarks]:
    return detect_faces(image, max_faces=1) if image.shape[:2] == (camera.height, camera.width) else []


def _coefficients(value: Any) -> Array:
    try:
        return np.clip(np.asarray(arkit.vector(**value), np.float32), 0, 1)
    except (KeyError, TypeError, ValueError):
        raise CaptureError(
            f"a frame's 'coefficients' in {NAME} should map ARKit names to numbers; export the capture again"
        ) from None


def _matte(folder: Path, entry: dict[str, Any], image: Pixels) -> Array:
    """The mask that the entry names, else the person's matte."""
    if "fg_mask_path" not in entry:
        return matte(image)
    return _pixels(_inside(folder, entry, "fg_mask_path", 0))[..., 0].astype(np.float32) / 255


def _normals(folder: Path, entry: dict[str, Any]) -> Array | None:
    if "normal_path" not in entry:
        return None
    n = _pixels(_inside(folder, entry, "normal_path", 0)).astype(np.float32) / 127.5 - 1
    length = np.linalg.norm(n, axis=2, keepdims=True)
    return np.divide(n, length, out=np.zeros_like(n), where=length > UNKNOWN_NORMAL)


def _pixels(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise CaptureError(f"a picture was expected at {path}, which cannot be read; export the capture again")
    return np.asarray(image[..., ::-1])
