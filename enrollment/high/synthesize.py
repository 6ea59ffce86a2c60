"""What no photo shows, made by the diffusion prior: frames from other cameras, in other expressions, with normals.

The prior looks at small pictures and says how the instant avatar's differ from the truth. That difference, enlarged, is added to
the avatar drawn at full size; where the photo shows the surface, its own pixels are put on top in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enrollment.high.conditions import OPENGL, Conditioner, Source, Wanted, wanted_camera
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface import areas
from enrollment.instant.texture_completion import unfolded
from enrollment.prior_training.face_crops import DRAWN, face_camera
from enrollment.reconstruction.capture import Frame
from models import arkit
from models.diffusion.conditions import Conditions
from models.diffusion.parts import face_parts
from models.diffusion.prior import Prior
from models.diffusion.sampler import Paste, Sampled, sample
from models.errors import Cancelled
from models.heads.base import REGION, HeadModel
from models.heads.raster import rasterize
from models.types import Array, Camera

SIDE = 320
"""Pixels of a frame."""
ARC, PITCH = 120.0, 3.0
"""Degrees: the frontal arc's width, and how far above all cameras are."""
AROUND = (90.0, -90.0, 135.0, -135.0)
"""Degrees of the views between the arc and the back."""
EXPRESSIONS: Mapping[str, Mapping[str, float]] = {
    "neutral": {},
    "smile": {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4},
    "jaw open": {"jawOpen": 0.6},
    "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "pucker": {"mouthPucker": 0.7, "jawOpen": 0.15},
    "brows up": {"browInnerUp": 0.8, "browOuterUpLeft": 0.7, "browOuterUpRight": 0.7},
}
AT_ONCE = 6
"""Views a call of the sampler: between two calls there is progress, and one may stop."""
DRIVING_BACKGROUND = 0.6
"""Grey behind the face whose expression is wanted."""
EDGE = 0.01
"""Part of the picture's side over which clothes become skin, one standard deviation."""
LID_EDGE = 0.003
"""The same around the eyelids."""
UNFOLDED = 1.3
"""An eyelid's face that is so many times larger than in the photo shows skin that the photo does not."""
HARD = 0.5
"""Matte from which a pixel has a normal."""
CHANGED, EMPTY, FULL = 0.08, 0.1, 0.9
"""A pixel whose matte the prior changed by so much, and which is then neither empty nor full, is one that it does not know:
hair may be there. Nothing is learned from it."""
Progress = Callable[[float], None]


@dataclass(frozen=True)
class View:
    """yaw: degrees around the head, positive towards the person's left. coefficients: (52,). name: for messages."""

    yaw: float
    coefficients: Array
    name: str


def planned(views: int = 12, expressions: Mapping[str, Mapping[str, float]] = EXPRESSIONS, each: int = 2) -> tuple[View, ...]:
    """The back first; the sides; then `views` cameras on the frontal arc (G9), each with `each` of the expressions in turn."""
    named = [(name, np.asarray(arkit.vector(**values), np.float32)) for name, values in expressions.items()]
    if not named:
        named = [("neutral", np.zeros(arkit.COUNT, np.float32))]
    rest = np.zeros(arkit.COUNT, np.float32)
    out = [View(yaw, rest, f"view at {yaw:.0f}°") for yaw in (180.0, *AROUND)]
    # neighbours in the plan lie apart on the arc, so that each expression is seen from all over it
    for i, yaw in enumerate(np.linspace(-ARC / 2, ARC / 2, views)):
        for k in range(each):
            name, values = named[(i + k * max(1, len(named) // 2)) % len(named)]
            out.append(View(float(yaw), values, f"view at {yaw:.0f}°, {name}"))
    return tuple(out)


def synthesize(
    enrollment: Enrollment,
    model: HeadModel,
    prior: Prior,
    views: Sequence[View] | None = None,
    *,
    steps: int | None = None,
    strength: float | None = None,
    guidance: float | None = None,
    side: int = SIDE,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = lambda part: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Frame, ...]:
    """Frames of `views` (default: `planned()`), `side` pixels square, head at the origin of avatar space, with normals.

    What stands at 0 in `views` is made first, and its pixels are then given to the others beside the photo's (F4). steps,
    strength, guidance: of the sampler. The same arguments give the same frames. Raises `Cancelled`.
    """
    wanted = tuple(planned() if views is None else views)
    maker = _Maker(enrollment, model, prior, side, device)
    frames: list[Frame] = []
    anchor: Source | None = None
    while len(frames) < len(wanted):
        if cancelled():
            raise Cancelled("synthesis was stopped; nothing was written")
        chunk = wanted[len(frames) : len(frames) + (1 if anchor is None else AT_ONCE)]
        made, sampled = maker.frames(chunk, anchor, steps=steps, strength=strength, guidance=guidance, seed=seed)
        frames += made
        if anchor is None:
            anchor = maker.source(chunk[0], sampled)
        progress(len(frames) / len(wanted))
    return tuple(frames)


class _Maker:
    """Everything that all views of one person share."""

    def __init__(self, enrollment: Enrollment, model: HeadModel, prior: Prior, side: int, device: str) -> None:
        self.conditioner = Conditioner(enrollment.avatar, model, enrollment.fit.photos[0], enrollment.portraits[0])
        self.prior, self.side, self.device = prior.to(device).eval(), side, device
        self.size = prior.config.size
        reference, reference_pose = self.conditioner.reference(self.size)
        self.reference, self.reference_pose = _tensor([reference]), _tensor([reference_pose])
        person = self.conditioner.person
        self.lids = unfolded(model)[model.faces].any(axis=1) & (model.region == REGION["skin"])
        self.shown_areas = areas(person.expressed(self.conditioner.photo.coefficients), model.faces)

    def frames(
        self, views: Sequence[View], anchor: Source | None, *, steps: int | None, strength: float | None, guidance: float | None,
        seed: int,
    ) -> tuple[list[Frame], Sampled]:  # fmt: skip
        """The frames of some views, and what the prior made."""
        cameras = [wanted_camera(v.yaw, PITCH, size=self.size) for v in views]
        small = [self.conditioner.wanted(camera, v.coefficients) for camera, v in zip(cameras, views, strict=True)]
        conditions = self._conditions(views, small)
        sampled = sample(
            self.prior, conditions.to(self.device), steps=steps, strength=strength, guidance=guidance, seed=seed,
            paste=self._paste(views, cameras, small, anchor),
        )  # fmt: skip
        changes = [_array(ours - coarse.to(ours)) for ours, coarse in self._compared(sampled, conditions)]
        made = [self._frame(v, c[0], c[1], c[2]) for v, *c in zip(views, *changes, strict=True)]
        return made, sampled

    def source(self, view: View, sampled: Sampled) -> Source:
        """A made view whose pixels may go to others."""
        camera, person = wanted_camera(view.yaw, PITCH, size=self.size), self.conditioner.person
        vertices = person.vertices(view.coefficients, self.conditioner.pose(view.coefficients))
        return Source.of_view(_array(sampled.color)[0], _array(sampled.matte)[0, ..., 0], camera, person, vertices)

    def _conditions(self, views: Sequence[View], small: Sequence[Wanted]) -> Conditions:
        return Conditions(
            reference=self.reference, reference_pose=self.reference_pose,
            coarse_color=_tensor([w.color for w in small]), coarse_normals=_tensor([w.normals for w in small]),
            coarse_alpha=_tensor([w.alpha for w in small]), warp=_tensor([w.warp for w in small]),
            visibility=_tensor([w.visibility for w in small]), pose=_tensor([w.pose for w in small]),
            driving=_tensor([self._driving(v.coefficients) for v in views]),
        )  # fmt: skip

    def _driving(self, coefficients: Array) -> Array:
        """The parts of the avatar's own face in the wanted expression, as a webcam from the front sees it: (crop, crop, 3)."""
        c, person = self.conditioner, self.conditioner.person
        marks = person.landmarks(person.vertices(coefficients, c.pose(coefficients)))
        camera = face_camera(marks, wanted_camera(0.0, size=DRAWN))
        drawn = c.draw(camera, coefficients, DRIVING_BACKGROUND).clip(0, 1).astype(np.float32)
        return face_parts(drawn, camera.project(marks), self.prior.config.expression.crop)

    def _paste(self, views: Sequence[View], cameras: Sequence[Camera], small: Sequence[Wanted], anchor: Source | None) -> Paste:
        """What is known: the photo, and where it is blind the view that was made first."""
        colors, masks = [], []
        for view, camera, own in zip(views, cameras, small, strict=True):
            color, mask = own.warp, own.visibility
            if anchor is not None:
                pose = self.conditioner.pose(view.coefficients)
                other, there = self.conditioner.carried(anchor, camera, view.coefficients, pose)
                color = np.where((mask >= there)[..., None], color, other)
                mask = np.maximum(mask, there)
            colors.append(color * own.alpha[..., None] + 1 - own.alpha[..., None])
            masks.append(mask)
        return Paste(_tensor(colors).to(self.device), _tensor(masks).to(self.device))

    def _compared(self, sampled: Sampled, conditions: Conditions) -> list[tuple[Tensor, Tensor]]:
        return [
            (sampled.color, conditions.coarse_color),
            (sampled.normals, conditions.coarse_normals),
            (sampled.matte, conditions.coarse_normals.norm(dim=1, keepdim=True).clamp(0, 1)),
        ]

    def _frame(self, view: View, color: Array, normals: Array, matte: Array) -> Frame:
        """The avatar at full size, changed as the prior says in small; the photo's pixels on top. Clothes and eyelids keep the
        avatar's colours: the prior knows theirs as a blur only, and what the photo shows of a lid is lashes and shadow."""
        camera = wanted_camera(view.yaw, PITCH, size=self.side)
        full = self.conditioner.wanted(camera, view.coefficients, oversampled=1)
        body, lids = self._kept(camera, view.coefficients)
        seen = full.visibility[..., None] * (1 - lids)
        alpha = (full.alpha[..., None] + self._enlarged(matte)).clip(0, 1)
        alpha = np.maximum(alpha, seen)
        changed = (full.color + self._enlarged(color) * (1 - np.maximum(body, lids))).clip(0, 1)
        image = ((changed - 1 + alpha) / np.maximum(alpha, 0.02)).clip(0, 1)  # without the white behind it
        image = np.where(alpha > 0.02, image, 1.0)
        image += seen * (full.warp - image)
        world = self._world(full.normals + self._enlarged(normals), alpha, camera)
        outline = np.abs(self._enlarged(matte)[..., 0]) > CHANGED
        known = ~(outline & (alpha[..., 0] > EMPTY) & (alpha[..., 0] < FULL))
        return Frame(
            np.round(255 * image.clip(0, 1)).astype(np.uint8), alpha[..., 0].astype(np.float32), camera,
            self.conditioner.pose(view.coefficients), view.coefficients, world, known=known, name=view.name,
        )  # fmt: skip

    def _kept(self, camera: Camera, coefficients: Array) -> tuple[Array, Array]:
        """Two (side, side, 1), 1 where the surface is the body's, and where it is an eyelid's that the photo shows folded; with
        soft edges."""
        c, model = self.conditioner, self.conditioner.person.model
        found = rasterize(c.person.vertices(coefficients, c.pose(coefficients)), model.faces, camera)
        lids = self.lids & (areas(c.person.expressed(coefficients), model.faces) > UNFOLDED * self.shown_areas)

        def soft(faces: NDArray[np.bool_], width: float) -> Array:
            there = (found.face >= 0) & faces[np.maximum(found.face, 0)]
            return np.asarray(cv2.GaussianBlur(there.astype(np.float32), (0, 0), width * self.side)[..., None])

        return soft(model.region == REGION["body"], EDGE), soft(lids, LID_EDGE)

    def _enlarged(self, change: Array) -> Array:
        """(size, size, C) -> (side, side, C), smoothly: fine detail stays the avatar's and the photo's."""
        large = cv2.resize(change, (self.side, self.side), interpolation=cv2.INTER_CUBIC)
        return np.asarray(large.reshape(self.side, self.side, -1), np.float32)

    def _world(self, normals: Array, alpha: Array, camera: Camera) -> Array:
        """Camera normals of any length -> unit ones in avatar space, 0 where nothing is."""
        turned = (normals * OPENGL) @ camera.world_to_camera[:3, :3].astype(np.float32)
        length = np.linalg.norm(turned, axis=2, keepdims=True)
        there = (alpha > HARD) & (length > 0.1)
        return np.asarray(np.divide(turned, length, out=np.zeros_like(turned), where=there), np.float32)


def sheet(frames: Sequence[Frame], *, size: int = 160, columns: int = 8) -> np.ndarray:
    """All frames on white, their normals (as colours, in each camera's own axes) under them; (H, W, 3) uint8."""
    rows = []
    for start in range(0, len(frames), columns):
        pictures, maps = [], []
        for frame in frames[start : start + columns]:
            small = frame.resized(size, size)
            matte = small.matte[..., None]
            pictures.append(small.image * matte + 255 * (1 - matte))
            turned = np.zeros((size, size, 3), np.float32)
            if small.normals is not None:
                turned = (small.normals @ small.camera.world_to_camera[:3, :3].T.astype(np.float32)) * OPENGL
            maps.append(127.5 * (turned * matte + 1))
        empty = [np.full((size, size, 3), 255.0)] * (columns - len(pictures))
        rows += [np.concatenate([*pictures, *empty], axis=1), np.concatenate([*maps, *empty], axis=1)]
    return np.asarray(np.round(np.concatenate(rows)).clip(0, 255), np.uint8)


def _tensor(pictures: Sequence[Array]) -> Tensor:
    """(B, C, H, W) of pictures (H, W, C) or (H, W)."""
    stacked = np.stack([p[..., None] if p.ndim == 2 else p for p in pictures]).astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(stacked.transpose(0, 3, 1, 2)))


def _array(pictures: Tensor) -> Array:
    """(B, C, H, W) -> (B, H, W, C)."""
    return np.ascontiguousarray(pictures.detach().float().cpu().numpy().transpose(0, 2, 3, 1))
