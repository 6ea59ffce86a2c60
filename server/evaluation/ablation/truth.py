"""The truth of the ablation: a synthetic head, seen by 24 cameras in 10 expressions, and the portrait that enrollment gets.

It is nobody's rig that a fit could start from: identity and free form are drawn for it, its skin is painted, its hair grown in
strands, its light random (`models.synthetic`); only the head model's mesh is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import arkit
from models.heads.base import HeadModel, PersonHead, Pose
from models.synthetic.cameras import orbit_camera
from models.synthetic.head import SyntheticHead
from models.types import Array, Camera

VIEWS, EXPRESSIONS = 24, 10
HELD_VIEWS = tuple(range(1, VIEWS, 3))
"""Every third camera is kept for scoring, 8 of 24."""
PITCHES = (0.0, 14.0, -10.0, 6.0)
"""Degrees above the horizon, in turn."""
PORTRAIT_SIDE = 640
CELLS = 4
"""Cells a pixel and axis: with 2, outlines are stairs, as no camera sees them."""
SHOWN = 0.32
"""Metres of the head that a picture is high."""


FACES: tuple[dict[str, float], ...] = (
    {},
    arkit.both(mouthSmile=0.7, cheekSquint=0.5, eyeSquint=0.3),
    {"jawOpen": 0.6} | arkit.both(mouthLowerDown=0.3),
    arkit.both(eyeBlink=1.0) | {"mouthPressLeft": 0.4, "mouthPressRight": 0.4},
    arkit.both(browDown=0.8, noseSneer=0.4, mouthFrown=0.5),
    arkit.both(eyeWide=0.7, browOuterUp=0.8) | {"browInnerUp": 0.8, "jawOpen": 0.25},
    {"mouthPucker": 0.8, "mouthFunnel": 0.3},
    # held out: each mixes what others showed apart, in other amounts
    arkit.both(mouthSmile=0.8, cheekSquint=0.4, mouthUpperUp=0.3) | {"jawOpen": 0.35},
    {"mouthFunnel": 0.5, "jawOpen": 0.3, "browInnerUp": 0.6},
    arkit.both(eyeBlink=0.5, mouthSmile=0.3, browDown=0.3) | {"mouthLeft": 0.3},
)
HELD_FACES = (7, 8, 9)
"""Three of ten expressions are kept for scoring."""


@dataclass(frozen=True)
class TruthFrame:
    """One picture of the truth, as the head's own world has it. image: (H, W, 3) float32 sRGB on white. matte: (H, W). normals:
    (H, W, 3) world, unit, 0 outside. face: (H, W) bool, bare skin of the face."""

    camera: Camera
    coefficients: Array
    image: Array
    matte: Array
    normals: Array
    face: NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """A synthetic head and what it was photographed with. Its head rests at the origin in all pictures."""

    head: SyntheticHead
    size: int

    @staticmethod
    def random(model: HeadModel, seed: int, size: int) -> Truth:
        """The head with number `seed`, bareheaded and without glasses; pictures are `size` pixels wide."""
        return Truth(SyntheticHead.random(model, seed, glasses="none", hat="none"), size)

    @property
    def person(self) -> PersonHead:
        """The true rig."""
        return self.head.person

    def portrait(self) -> NDArray[np.uint8]:
        """The one photo: from the front, no expression, before the head's own background; (640, 640, 3) uint8 sRGB."""
        view = orbit_camera(4.0, 2.0, size=PORTRAIT_SIDE, shown=0.42)
        return _bytes(self.head.render(view, coefficients(0), Pose()).color)

    def training(self) -> list[TruthFrame]:
        """All that the fit may see: 16 cameras times 7 expressions, the front with no expression first."""
        views = [v for v in range(VIEWS) if v not in HELD_VIEWS]
        return self._shots(views, [e for e in range(EXPRESSIONS) if e not in HELD_FACES])

    def held_out(self) -> list[TruthFrame]:
        """What it is scored on: cameras and expressions of which it saw neither, 8 times 3."""
        return self._shots(HELD_VIEWS, HELD_FACES)

    def _shots(self, views: Sequence[int], faces: Sequence[int]) -> list[TruthFrame]:
        return [self.shot(camera(view, self.size), coefficients(face)) for face in faces for view in views]

    def shot(self, view: Camera, expression: Array) -> TruthFrame:
        """One picture."""
        s = self.head.render(view, expression, Pose(), supersample=CELLS, background=1.0)
        return TruthFrame(view, expression, s.color.clip(0, 1), s.matte, s.normals, s.face)


def camera(index: int, size: int) -> Camera:
    """Camera `index` of the 24: all round, the first in front."""
    return orbit_camera(360.0 * index / VIEWS, PITCHES[index % len(PITCHES)], size=size, shown=SHOWN)


def coefficients(index: int) -> Array:
    """(52,) of expression `index` of the 10."""
    return np.asarray(arkit.vector(**FACES[index]), np.float32)


def _bytes(picture: Array) -> NDArray[np.uint8]:
    return np.asarray(np.round(255 * picture.clip(0, 1)), np.uint8)
