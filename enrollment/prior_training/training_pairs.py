"""Training pairs for the diffusion prior: a synthetic head goes through instant enrollment, and is put beside the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from enrollment.high.conditions import SHOWN, Conditioner, target_camera
from enrollment.instant.pipeline import Enrollment, build_instant
from enrollment.portrait.portrait import SIZE
from enrollment.prior_training import face_crops
from enrollment.prior_training.face_crops import CROP, webcam
from enrollment.prior_training.virtual_photo import VirtualPhoto, photograph
from models import arkit
from models.diffusion.batch import COLORS, MASKS, NORMALS
from models.heads.base import HeadModel, Pose
from models.similarity import similarity
from models.synthetic.expressions import gaze_of, random_expression
from models.synthetic.head import HeadSample, SyntheticHead
from models.types import Array, Array64, Camera

PORTRAIT = 384
"""Pixels of the practice portraits: half of enrollment's own, enough for views of 64 and 128 pixels; larger ones get more."""
TRACKED = 0.12
"""How far tracked coefficients are off, one standard deviation."""
FRONT, SIDES = 0.65, 0.2
"""Parts of the views on the frontal arc (within 60 degrees) and to the sides (60 to 120); the rest look at the back."""


def row_type(size: int) -> np.dtype[np.void]:
    """One training pair as bytes: colours and masks as uint8 (255 is 1), normals as int8 (127 is 1), named as in `Batch`.

    parts: of the driving face, seen by another camera than the target's; parts_same: by the target's own (G2 switched off).
    """
    fields: list[tuple[str, str, tuple[int, ...]]] = [(name, "u1", (size, size, 3)) for name in COLORS]
    fields += [(name, "i1", (size, size, 3)) for name in NORMALS]
    fields += [(name, "u1", (size, size)) for name in MASKS]
    fields += [(name, "u1", (CROP, CROP, 3)) for name in ("parts", "parts_same")]
    return np.dtype([*fields, ("coefficients", "f2", (arkit.COUNT,)), ("yaw", "f2", ()), ("moment", "u1", ())])


@dataclass(frozen=True)
class EnrolledSynthetic:
    """A synthetic head, enrolled from one photo. similarity: (4, 4), true avatar space -> the fitted head's, with scale."""

    head: SyntheticHead
    shot: VirtualPhoto
    enrollment: Enrollment
    similarity: Array64

    def true_camera(self, camera: Camera) -> Camera:
        """A camera of the fitted head's avatar space in the world in which the true head was photographed, and lit."""
        m = camera.world_to_camera @ self.similarity
        scale = float(np.cbrt(np.linalg.det(m[:3, :3])))
        m = m / scale
        m[3] = (0, 0, 0, 1)
        return replace(camera, world_to_camera=m @ np.linalg.inv(self.shot.pose.head))

    def true_pose(self, coefficients: NDArray[np.floating]) -> Pose:
        """The head where it was photographed, so that the light is the photo's; the shoulders straight under it."""
        head = self.shot.pose.head
        return Pose(head, head, gaze_of(self.head.person.model, np.asarray(coefficients, np.float32)))


def enrolled(head: SyntheticHead, rng: np.random.Generator, *, side: int = PORTRAIT) -> EnrolledSynthetic:
    """Photograph a head and enroll it (`enrollment.instant.pipeline.build_instant`), without detecting a face."""
    model = head.person.model
    shot = photograph(head, rng, side=side)
    enrollment = build_instant(model, [shot.portrait])
    person, photo = enrollment.avatar.person(model), enrollment.fit.photos[0]
    trusted = model.landmark_weight > 0.3
    ours, theirs = (
        p.landmarks(p.expressed(c))[trusted].astype(np.float64)
        for p, c in ((person, photo.coefficients), (head.person, shot.coefficients))
    )
    return EnrolledSynthetic(head, shot, enrollment, _laid_on(theirs, ours))


def rows(model: HeadModel, seed: int, *, size: int = 64, views: int = 12, frames: int = 1) -> NDArray[np.void]:
    """(views,) training pairs (`row_type`) of the synthetic head with number `seed`; two views of each moment.

    With `frames` above 1, clips (G6) instead: `frames` rows in order show one camera's view of a face that changes from one
    expression to another, seen by one webcam. `views` is a multiple of `frames`.
    """
    rng = np.random.default_rng([seed, 0x9A1])
    maker = TrainingPairMaker.of(SyntheticHead.random(model, seed), rng, size)
    out = np.zeros(views, row_type(size))
    if frames > 1:
        for start in range(0, views, frames):
            out[start : start + frames] = _clip(maker, model, rng, frames)
        out["moment"] = np.arange(views) % 256
        return out
    truth = np.zeros(arkit.COUNT, np.float32)
    for i in range(views):
        if i % 2 == 0:
            truth = random_expression(rng, model)
        yaw, camera = random_view(rng, size)
        out[i], _ = maker.pair(yaw, camera, truth, rng)
        out[i]["moment"] = i // 2
    return out


def _clip(maker: TrainingPairMaker, model: HeadModel, rng: np.random.Generator, frames: int) -> NDArray[np.void]:
    """(frames,) rows of one clip. All frames draw the same random numbers, so webcam and tracker's error stay."""
    yaw, camera = random_view(rng, maker.size)
    first, last = random_expression(rng, model), random_expression(rng, model)
    seed = int(rng.integers(2**32))
    parts = 0.5 - 0.5 * np.cos(np.pi * np.linspace(0.0, 1.0, frames))
    moments = [((1 - part) * first + part * last).astype(np.float32) for part in parts]
    return np.stack([maker.pair(yaw, camera, moment, np.random.default_rng(seed))[0] for moment in moments])


@dataclass(frozen=True)
class TrainingPairMaker:
    """Where pairs of one synthetic head of `size` pixels are made."""

    made: EnrolledSynthetic
    conditioner: Conditioner
    size: int
    reference: tuple[Array, Array]
    """The photo and its pose map, the same in all pairs."""

    @staticmethod
    def of(head: SyntheticHead, rng: np.random.Generator, size: int) -> TrainingPairMaker:
        """Photograph the head and enroll it."""
        made = enrolled(head, rng, side=min(SIZE, max(PORTRAIT, 3 * size)))
        conditioner = Conditioner(made.enrollment, head.person.model, threads=1)
        return TrainingPairMaker(made, conditioner, size, conditioner.reference(size))

    def pair(self, yaw: float, camera: Camera, truth: Array, rng: np.random.Generator) -> tuple[NDArray[np.void], HeadSample]:
        """One row of `row_type`, (), its moment left open, and the truth of the target view. truth: coefficients (52,)."""
        row = np.zeros((), row_type(self.size))
        row["reference"], row["reference_pose"] = _bytes(self.reference[0]), _signed(self.reference[1])
        known = self.conditioner.conditions_for(camera, noisy_coefficients(truth, rng))
        pose, true_camera = self.made.true_pose(truth), self.made.true_camera(camera)
        seen = self.made.head.render(true_camera, truth, pose, supersample=4, background=1.0)
        normals = seen.normals @ true_camera.world_to_camera[:3, :3].T * np.array([1, -1, -1]) * seen.matte[..., None]
        row["coarse_color"], row["coarse_alpha"] = _bytes(known.color), _bytes(known.alpha)
        row["coarse_normals"], row["pose"] = _signed(known.normals), _signed(known.pose)
        row["warp"], row["visibility"] = _bytes(known.warp), _bytes(known.visibility)
        row["target_color"], row["target_normals"], row["target_matte"] = _bytes(seen.color), _signed(normals), _bytes(seen.matte)
        row["parts"] = _parts(self.made, truth, target_camera(*webcam(rng, away=yaw), size=CROP))
        row["parts_same"] = _parts(self.made, truth, camera)
        row["coefficients"], row["yaw"] = truth, yaw
        return row, seen


def random_view(rng: np.random.Generator, size: int) -> tuple[float, Camera]:
    """Yaw in degrees, and a camera of the kind that synthesis asks for."""
    kind, sign = rng.random(), rng.choice([-1.0, 1.0])
    if kind < FRONT:
        yaw = rng.uniform(-60, 60)
    else:
        yaw = sign * (rng.uniform(60, 120) if kind < FRONT + SIDES else rng.uniform(120, 180))
    pitch = float(np.clip(rng.normal(2, 8), -20, 25))
    return float(yaw), target_camera(yaw, pitch, size=size, shown=SHOWN * float(rng.uniform(0.95, 1.05)))


def noisy_coefficients(truth: Array, rng: np.random.Generator) -> Array:
    """The coefficients (52,) that the coarse view is drawn with: a third of them true, a third as a tracker has them, a third
    none, or the expression latent would have nothing to tell (G1)."""
    kind = rng.integers(3)
    if kind == 0:
        return truth
    if kind == 1:
        off = rng.normal(0, TRACKED, truth.shape) * ((truth > 0) | (rng.random(truth.shape) < 0.2))
        return np.clip(truth * rng.uniform(0.6, 1.2) + off, 0, 1).astype(np.float32)
    return np.zeros_like(truth)


def _laid_on(a: Array64, b: Array64) -> Array64:
    """(4, 4) scale, rotation and shift that take points a (N, 3) nearest to b (N, 3)."""
    scale, rotation, shift = similarity(a, b)
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = scale * rotation, shift
    return out


def _parts(made: EnrolledSynthetic, coefficients: Array, camera: Camera) -> NDArray[np.uint8]:
    return face_crops.look(made.head, made.true_camera(camera), coefficients, made.true_pose(coefficients))[0]


def _bytes(picture: Array) -> NDArray[np.uint8]:
    return np.round(255 * picture.clip(0, 1)).astype(np.uint8)


def _signed(normals: NDArray[np.floating]) -> NDArray[np.int8]:
    return np.round(127 * normals.clip(-1, 1)).astype(np.int8)
