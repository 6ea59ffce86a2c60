"""View synthesis with the diffusion prior: frames of the person from other cameras and in other expressions, with normals.

The prior works at low resolution and estimates by how much the instant avatar's picture differs from the truth. This residual is
upsampled and added to the avatar drawn at full resolution. Where the photo shows the surface, the photo's pixels replace the
result.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enrollment.high.conditions import OPENGL, Conditioner, SourceView, ViewConditions, target_camera
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface import triangle_areas
from enrollment.instant.texture_completion import eyelid_vertices
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
from models.progress import ProgressCallback, no_progress
from models.types import Array, Camera

SIDE = 320
"""Side of a frame, pixels."""
ARC, PITCH = 120.0, 3.0
"""Width of the frontal arc of cameras, and pitch of all cameras, degrees."""
AROUND = (90.0, -90.0, 135.0, -135.0)
"""Yaws of the views between the frontal arc and the back, degrees."""
EXPRESSIONS: Mapping[str, Mapping[str, float]] = {
    "neutral": {},
    "smile": {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4},
    "jaw open": {"jawOpen": 0.6},
    "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "pucker": {"mouthPucker": 0.7, "jawOpen": 0.15},
    "brows up": {"browInnerUp": 0.8, "browOuterUpLeft": 0.7, "browOuterUpRight": 0.7},
}
BATCH = 6
"""Views in one call of the sampler; progress is reported and cancellation is checked between two calls."""
DRIVING_BACKGROUND = 0.6
"""Grey level of the background of the driving picture, from which the prior encodes the target expression."""
EDGE = 0.01
"""Standard deviation of the blend between clothes, which keep the avatar's colours, and the rest; picture sides."""
LID_EDGE = 0.003
"""Standard deviation of the blend between eyelids, which keep the avatar's colours, and the rest; picture sides."""
UNFOLD_RATIO = 1.3
"""Ratio of a triangle's area in the target view to its area in the photo from which an eyelid is unfolded: then it shows skin
that the photo does not."""
HARD = 0.5
"""Matte value above which a pixel has a normal."""
CHANGED, EMPTY, FULL = 0.08, 0.1, 0.9
"""A pixel is unknown (hair may be there or not) when the prior changed its matte by more than CHANGED and the result is between
EMPTY and FULL. Nothing is learned from it."""


@dataclass(frozen=True)
class TargetView:
    """A view to synthesise. yaw: degrees around the head, positive towards the person's left. coefficients: (52,). name: for
    messages."""

    yaw: float
    coefficients: Array
    name: str


@dataclass(frozen=True)
class SynthesisOptions:
    """steps: of the sampler; the prior's own number when None. side: of a frame, pixels. seed: of the noise. device: of the
    prior, "cpu" or "cuda"."""

    steps: int | None = None
    side: int = SIDE
    seed: int = 0
    device: str = "cpu"


DEFAULTS = SynthesisOptions()


def plan_views(
    views: int = 12, expressions: Mapping[str, Mapping[str, float]] = EXPRESSIONS, each: int = 2
) -> tuple[TargetView, ...]:
    """The target views in order: the back, the sides, then `views` cameras on the frontal arc, each with `each` of the
    expressions in turn (GeoDiff4D's multi-view, multi-expression synthesis)."""
    named = [(name, np.asarray(arkit.vector(**values), np.float32)) for name, values in expressions.items()]
    if not named:
        named = [("neutral", np.zeros(arkit.COUNT, np.float32))]
    rest = np.zeros(arkit.COUNT, np.float32)
    out = [TargetView(yaw, rest, f"view at {yaw:.0f}°") for yaw in (180.0, *AROUND)]
    # neighbours in the plan lie apart on the arc, so that each expression is seen from all over it
    for i, yaw in enumerate(np.linspace(-ARC / 2, ARC / 2, views)):
        for k in range(each):
            name, values = named[(i + k * max(1, len(named) // 2)) % len(named)]
            out.append(TargetView(float(yaw), values, f"view at {yaw:.0f}°, {name}"))
    return tuple(out)


def synthesize(
    enrollment: Enrollment,
    model: HeadModel,
    prior: Prior,
    views: Sequence[TargetView] | None = None,
    options: SynthesisOptions = DEFAULTS,
    *,
    progress: ProgressCallback = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Frame, ...]:
    """Frames of the target views (default: `plan_views()`), head at the origin of avatar space, with normals.

    The first view is sampled first and becomes the anchor: its pixels are pasted into the other views beside the photo's. The
    arguments determine the frames. cancelled: asked before each call of the sampler. Raises `Cancelled`.
    """
    targets = tuple(plan_views() if views is None else views)
    synthesizer = _Synthesizer(enrollment, model, prior, options)
    frames: list[Frame] = []
    anchor: SourceView | None = None
    while len(frames) < len(targets):
        if cancelled():
            raise Cancelled("synthesis was stopped; nothing was written")
        batch = targets[len(frames) : len(frames) + (1 if anchor is None else BATCH)]
        made, sampled = synthesizer.frames(batch, anchor)
        frames += made
        if anchor is None:
            anchor = synthesizer.source(batch[0], sampled)
        progress("synthesising views", len(frames) / len(targets))
    return tuple(frames)


class _Synthesizer:
    """What all target views of one person share: conditioner, prior, reference picture."""

    def __init__(self, enrollment: Enrollment, model: HeadModel, prior: Prior, options: SynthesisOptions) -> None:
        self.conditioner, self.options, self.side = Conditioner(enrollment, model), options, options.side
        self.prior = prior.to(options.device).eval()
        self.size = prior.config.size
        reference, reference_pose = self.conditioner.reference(self.size)
        self.reference, self.reference_pose = _tensor([reference]), _tensor([reference_pose])
        person = self.conditioner.person
        self.lids = eyelid_vertices(model)[model.faces].any(axis=1) & (model.region == REGION["skin"])
        self.shown_areas = triangle_areas(person.expressed(self.conditioner.photo.coefficients), model.faces)

    def frames(self, views: Sequence[TargetView], anchor: SourceView | None) -> tuple[list[Frame], Sampled]:
        """The frames of a batch of views, and the sampler's output of which they were made."""
        cameras = [target_camera(v.yaw, PITCH, size=self.size) for v in views]
        small = [self.conditioner.conditions_for(camera, v.coefficients) for camera, v in zip(cameras, views, strict=True)]
        conditions = self._conditions(views, small)
        sampled = sample(
            self.prior, conditions.to(self.options.device), steps=self.options.steps, seed=self.options.seed,
            paste=self._paste(views, cameras, small, anchor), frames=self._clip_length(views),
        )  # fmt: skip
        residuals = [_array(made - coarse.to(made)) for made, coarse in self._sampled_and_coarse(sampled, conditions)]
        return [self._frame(v, r[0], r[1], r[2]) for v, *r in zip(views, *residuals, strict=True)], sampled

    def _clip_length(self, views: Sequence[TargetView]) -> int:
        """Frames of a clip (G6): neighbouring views from one camera, when the prior was trained on clips and all cameras have as
        many; else 1."""
        counts = {len(list(group)) for _, group in itertools.groupby(views, key=lambda view: view.yaw)}
        return counts.pop() if self.prior.config.mechanisms.temporal and len(counts) == 1 else 1

    def source(self, view: TargetView, sampled: Sampled) -> SourceView:
        """A synthesised view as a source that can be warped into other views."""
        camera, person = target_camera(view.yaw, PITCH, size=self.size), self.conditioner.person
        vertices = person.vertices(view.coefficients, self.conditioner.pose(view.coefficients))
        return SourceView.of_view(_array(sampled.color)[0], _array(sampled.matte)[0, ..., 0], camera, person, vertices)

    def _conditions(self, views: Sequence[TargetView], small: Sequence[ViewConditions]) -> Conditions:
        return Conditions(
            reference=self.reference, reference_pose=self.reference_pose,
            coarse_color=_tensor([w.color for w in small]), coarse_normals=_tensor([w.normals for w in small]),
            coarse_alpha=_tensor([w.alpha for w in small]), warp=_tensor([w.warp for w in small]),
            visibility=_tensor([w.visibility for w in small]), pose=_tensor([w.pose for w in small]),
            driving=_tensor([self._driving(v.coefficients) for v in views]),
        )  # fmt: skip

    def _driving(self, coefficients: Array) -> Array:
        """Face parts of the avatar in the target expression, seen by a frontal webcam, (crop, crop, 3): the expression encoder's
        input."""
        c, person = self.conditioner, self.conditioner.person
        marks = person.landmarks(person.vertices(coefficients, c.pose(coefficients)))
        camera = face_camera(marks, target_camera(0.0, size=DRAWN))
        drawn = c.draw(camera, coefficients, DRIVING_BACKGROUND).clip(0, 1).astype(np.float32)
        return face_parts(drawn, camera.project(marks), self.prior.config.expression.crop)

    def _paste(
        self, views: Sequence[TargetView], cameras: Sequence[Camera], small: Sequence[ViewConditions], anchor: SourceView | None
    ) -> Paste:
        """Known pixels that the sampler keeps: the photo, and where the photo does not show the surface, the anchor."""
        colors, masks = [], []
        for view, camera, target in zip(views, cameras, small, strict=True):
            color, mask = target.warp, target.visibility
            if anchor is not None:
                pose = self.conditioner.pose(view.coefficients)
                other, there = self.conditioner.warp(anchor, camera, view.coefficients, pose)
                color = np.where((mask >= there)[..., None], color, other)
                mask = np.maximum(mask, there)
            colors.append(color * target.alpha[..., None] + 1 - target.alpha[..., None])
            masks.append(mask)
        return Paste(_tensor(colors).to(self.options.device), _tensor(masks).to(self.options.device))

    def _sampled_and_coarse(self, sampled: Sampled, conditions: Conditions) -> list[tuple[Tensor, Tensor]]:
        """Colour, normals and matte, each as sampled and of the instant avatar."""
        return [
            (sampled.color, conditions.coarse_color),
            (sampled.normals, conditions.coarse_normals),
            (sampled.matte, conditions.coarse_normals.norm(dim=1, keepdim=True).clamp(0, 1)),
        ]

    def _frame(self, view: TargetView, color: Array, normals: Array, matte: Array) -> Frame:
        """The avatar at full resolution plus the prior's residuals (size, size, C), with the photo's pixels on top.

        Clothes and eyelids keep the avatar's colours: the prior only knows a blur of clothes, and the photo shows lashes and
        shadow on a folded lid.
        """
        camera = target_camera(view.yaw, PITCH, size=self.side)
        full = self.conditioner.conditions_for(camera, view.coefficients, oversampled=1)
        body, lids = self._masks_of_avatar_colors(camera, view.coefficients)
        seen = full.visibility[..., None] * (1 - lids)
        alpha = (full.alpha[..., None] + self._upsampled(matte)).clip(0, 1)
        alpha = np.maximum(alpha, seen)
        changed = (full.color + self._upsampled(color) * (1 - np.maximum(body, lids))).clip(0, 1)
        image = ((changed - 1 + alpha) / np.maximum(alpha, 0.02)).clip(0, 1)  # without the white behind it
        image = np.where(alpha > 0.02, image, 1.0)
        image += seen * (full.warp - image)
        world = self._world_normals(full.normals + self._upsampled(normals), alpha, camera)
        outline = np.abs(self._upsampled(matte)[..., 0]) > CHANGED
        known = ~(outline & (alpha[..., 0] > EMPTY) & (alpha[..., 0] < FULL))
        return Frame(
            np.round(255 * image.clip(0, 1)).astype(np.uint8), alpha[..., 0].astype(np.float32), camera,
            self.conditioner.pose(view.coefficients), view.coefficients, world, known=known, name=view.name,
        )  # fmt: skip

    def _masks_of_avatar_colors(self, camera: Camera, coefficients: Array) -> tuple[Array, Array]:
        """Two soft masks (side, side, 1), 1 on the body and 1 on eyelids that are unfolded in this view and folded in the
        photo."""
        c, model = self.conditioner, self.conditioner.person.model
        found = rasterize(c.person.vertices(coefficients, c.pose(coefficients)), model.faces, camera)
        lids = self.lids & (triangle_areas(c.person.expressed(coefficients), model.faces) > UNFOLD_RATIO * self.shown_areas)

        def soft(faces: NDArray[np.bool_], width: float) -> Array:
            there = (found.face >= 0) & faces[np.maximum(found.face, 0)]
            return np.asarray(cv2.GaussianBlur(there.astype(np.float32), (0, 0), width * self.side)[..., None])

        return soft(model.region == REGION["body"], EDGE), soft(lids, LID_EDGE)

    def _upsampled(self, residual: Array) -> Array:
        """(size, size, C) -> (side, side, C), bicubic: fine detail stays the avatar's and the photo's."""
        large = cv2.resize(residual, (self.side, self.side), interpolation=cv2.INTER_CUBIC)
        return np.asarray(large.reshape(self.side, self.side, -1), np.float32)

    def _world_normals(self, normals: Array, alpha: Array, camera: Camera) -> Array:
        """Normals (side, side, 3) of any length in the camera's OpenGL axes -> unit normals in avatar space, 0 where the matte is
        empty."""
        turned = (normals * OPENGL) @ camera.world_to_camera[:3, :3].astype(np.float32)
        length = np.linalg.norm(turned, axis=2, keepdims=True)
        there = (alpha > HARD) & (length > 0.1)
        return np.asarray(np.divide(turned, length, out=np.zeros_like(turned), where=there), np.float32)


def sheet(frames: Sequence[Frame], *, size: int = 160, columns: int = 8) -> np.ndarray:
    """All frames on white, and under each its normals as colours, in the axes of its camera; (H, W, 3) uint8."""
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
