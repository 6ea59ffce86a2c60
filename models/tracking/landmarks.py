"""Where the faces of a picture are and where MediaPipe's 478 landmarks lie on them. MediaPipe is imported at the first use.

The networks come inside the mediapipe wheel (Apache-2.0); nothing is fetched.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from models.heads.base import LANDMARKS
from models.types import Array

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

CROP = 512
"""Side of the square that landmarks are measured in, pixels; the network itself looks at 256."""
CROP_MARGIN = 2.0
"""Side of that square in sides of the detector's box, which reaches from the brows to the chin."""
PASSES = 3
"""Runs of the network on each face; from the second on its window follows the landmarks of the run before."""
DETECTION = 0.45
"""Least score of the face detectors; the mesh network checks their proposals."""
SMALLEST_FACE = 28.0
"""Pixels; smaller detections are ignored."""
SAME_FACE = 0.35
"""Intersection over union from which two boxes are one face."""
TILES, SMALLEST_TILE = (2, 4), 160
"""Where nothing is found: the picture is searched in windows of 1/2 and 1/4 of its side, not smaller than this many pixels."""


@dataclass(frozen=True)
class Landmarks:
    """One face in one picture.

    points: (478, 3) float32 pixels: x right, y down ((0, 0) is the corner of the picture, as for `Camera`), and MediaPipe's
    relative depth in pixels, smaller is nearer. confidence: [0, 1]. width, height: of the picture, pixels.
    """

    points: Array
    confidence: float
    width: int
    height: int

    @property
    def box(self) -> Box:
        """The smallest box around the landmarks."""
        low, high = self.points[:, :2].min(axis=0), self.points[:, :2].max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @property
    def size(self) -> float:
        """Side of a square as large as `box`, pixels."""
        left, top, right, bottom = self.box
        return float(np.sqrt(max(right - left, 0.0) * max(bottom - top, 0.0)))


_stderr_lock = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """Discard what is written to file descriptor 2 meanwhile.

    MediaPipe's C++ part prints half a dozen lines when a graph gets its first picture, and has no switch for it.
    """
    with _stderr_lock:
        saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(nowhere)


class FaceMesh:
    """MediaPipe's face mesh with irises, (H, W, 3) uint8 RGB -> landmarks of up to `faces` faces, in no order.

    static: every picture stands alone; otherwise the next picture is searched where the last had its faces.
    One thread at a time; `close` it or use it in a `with` statement.
    """

    _is_quiet = False

    def __init__(self, *, static: bool, faces: int = 1, detection: float = 0.5, tracking: float = 0.5) -> None:
        import mediapipe as mp

        with quiet():
            self._mesh: Any = mp.solutions.face_mesh.FaceMesh(
                static_image_mode=static, max_num_faces=faces, refine_landmarks=True,
                min_detection_confidence=detection, min_tracking_confidence=tracking,
            )  # fmt: skip
            self._mesh.process(np.zeros((64, 64, 3), np.uint8))

    def __call__(self, rgb: Pixels) -> list[Array]:
        """(478, 3) float32 pixels for each face: see `Landmarks.points`."""
        found = self._process(np.ascontiguousarray(rgb)).multi_face_landmarks or []
        size = np.array([rgb.shape[1], rgb.shape[0], rgb.shape[1]], np.float32)
        return [np.array([(p.x, p.y, p.z) for p in face.landmark], np.float32) * size for face in found]

    def _process(self, rgb: Pixels) -> Any:
        """The graph's result; its log lines for the first face of a process are discarded."""
        if FaceMesh._is_quiet:
            return self._mesh.process(rgb)
        with quiet():
            answer = self._mesh.process(rgb)
        FaceMesh._is_quiet = bool(answer.multi_face_landmarks)
        return answer

    def close(self) -> None:
        """Free the networks; the object is of no more use."""
        if self._mesh is not None:
            self._mesh.close()
            self._mesh = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def detect_faces(rgb: Pixels, max_faces: int = 4) -> list[Landmarks]:
    """All faces of a photo, (H, W, 3) uint8 sRGB, largest first; an empty list where there is none.

    Where the whole photo shows none, small faces are searched for in parts of it. Each face is measured in a square of its
    own, so the precision does not depend on its size in the photo.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or min(rgb.shape[:2]) < 8:
        return []
    faces = [face for box, score in _boxes(rgb)[: 2 * max_faces] if (face := _measure(rgb, box, score)) is not None]
    faces.sort(key=lambda face: -face.size)
    kept: list[Landmarks] = []
    for face in faces:
        if face.size >= SMALLEST_FACE and all(_overlap(face.box, other.box) < SAME_FACE for other in kept):
            kept.append(face)
    return kept[:max_faces]


def _boxes(rgb: Pixels) -> list[tuple[Box, float]]:
    """Proposals of the face detectors with their scores, largest first, each face once."""
    import mediapipe as mp

    detection = mp.solutions.face_detection.FaceDetection
    height, width = rgb.shape[:2]
    side = max(height, width)
    whole: list[Box] = [(0, 0, width, height)]
    padded: list[Box] = [(-0.5 * width, -0.5 * height, 1.5 * width, 1.5 * height)]
    tiles = [list(_tiles(width, height, side // n)) for n in TILES if side // n >= SMALLEST_TILE]
    with quiet(), detection(DETECTION, 0) as near, detection(DETECTION, 1) as far:
        for windows in (whole, padded, *tiles):
            found = [hit for window in windows for detector in (near, far) for hit in _detect(detector, rgb, window)]
            if found:
                return _distinct(found)
    return []


def _detect(detector: Any, rgb: Pixels, window: Box) -> list[tuple[Box, float]]:
    view, left, top, scale = _cut(rgb, window, 640)
    out = []
    for hit in detector.process(view).detections or []:
        box = hit.location_data.relative_bounding_box
        x, y = left + box.xmin * view.shape[1] / scale, top + box.ymin * view.shape[0] / scale
        across, down = box.width * view.shape[1] / scale, box.height * view.shape[0] / scale
        out.append(((x, y, x + across, y + down), float(hit.score[0])))
    return out


def _distinct(found: list[tuple[Box, float]]) -> list[tuple[Box, float]]:
    kept: list[tuple[Box, float]] = []
    for box, score in sorted(found, key=lambda hit: -hit[1]):
        if all(_overlap(box, other) < SAME_FACE for other, _ in kept):
            kept.append((box, score))
    return sorted(kept, key=lambda hit: hit[0][0] - hit[0][2])


def _measure(rgb: Pixels, box: Box, score: float) -> Landmarks | None:
    """Landmarks of the face in `box`, or None where the mesh network sees no face there."""
    cx, cy = 0.5 * (box[0] + box[2]), 0.5 * (box[1] + box[3])
    half = 0.5 * CROP_MARGIN * max(box[2] - box[0], box[3] - box[1])
    view, left, top, scale = _cut(rgb, (cx - half, cy - half, cx + half, cy + half), CROP, enlarge=True)
    middle = 0.5 * np.array([view.shape[1], view.shape[0]], np.float32)
    with FaceMesh(static=False, faces=2) as mesh:
        for _ in range(PASSES):
            found = mesh(view)
    if not found:
        return None
    points = min(found, key=lambda p: float(np.linalg.norm(p[:, :2].mean(axis=0) - middle))) / scale
    points[:, :2] += (left, top)
    assert points.shape == (LANDMARKS, 3)
    return Landmarks(points.astype(np.float32), score, rgb.shape[1], rgb.shape[0])


def _cut(rgb: Pixels, window: Box, side: int, *, enlarge: bool = False) -> tuple[Pixels, float, float, float]:
    """The part of the picture in a window, its larger side made `side` pixels (only when it is larger, unless `enlarge`).

    Also the window's left and top, and pixels of the part per pixel of the picture. Beyond the border: grey.
    """
    left, top = int(np.floor(window[0])), int(np.floor(window[1]))
    right, bottom = int(np.ceil(window[2])), int(np.ceil(window[3]))
    height, width = rgb.shape[:2]
    inner = rgb[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    pads = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    scale = side / max(right - left, bottom - top, 1)
    scale = scale if enlarge else min(scale, 1.0)
    part = cv2.copyMakeBorder(inner, *pads, cv2.BORDER_CONSTANT, value=(128, 128, 128)) if any(pads) else inner
    if scale != 1.0:
        size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return np.ascontiguousarray(part, np.uint8), float(left), float(top), scale


def _tiles(width: int, height: int, side: int) -> Iterator[Box]:
    """Windows of `side` pixels that overlap by half and cover the picture."""
    across = max(1, int(np.ceil((width - side) / (side / 2))) + 1)
    down = max(1, int(np.ceil((height - side) / (side / 2))) + 1)
    for row in range(down):
        for column in range(across):
            left = 0.0 if across == 1 else column * (width - side) / (across - 1)
            top = 0.0 if down == 1 else row * (height - side) / (down - 1)
            yield left, top, left + side, top + side


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    both = across * down
    return float(both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both))
