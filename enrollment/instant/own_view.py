"""The last stage of an instant avatar: seen as in the photo, it is the photo.

A few steps of gradient descent through the rasterizer fit colours inside, and at the outline also opacity, size and place of the
Gaussians, to the matte and the person's own colours. Nothing moves further than a pixel or two and hardly anything grows, so
other views keep their surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.portrait.portrait import Portrait
from models import binding
from models.binding import BoundGaussians, Frames
from models.splat.gradients import ColorDrawing
from models.types import Array, Camera, Gaussians

STEPS = 42
RATES = {"colors": 0.025, "logits": 0.25, "log_scales": 0.06, "shifts": 0.25}
"""Largest change in a step (Adam): of a colour, the log-odds of an opacity, the logarithm of a scale, a place in pixels."""
DECAY = 0.1
"""Part of the rate that is left in the last step."""
MOMENTS = (0.8, 0.95)
"""Adam's."""
ALPHA_WEIGHT = 1.0
"""Of the error of alpha beside that of the colours over white."""
MOST_COLOR, MOST_STRAND_COLOR, MOST_RIM_COLOR = 0.25, 0.4, 0.06
"""Largest change of a colour inside, at the outline of hair, where a Gaussian covers a strand, and at the outline of skin and
cloth, which is the same as further inwards."""
MOST_WHITER = 0.12
"""Largest brightening of a strand: the white behind it is seen through it, and would be a bright line from the side."""
MOST_SHRINK, MOST_UNSEEN_SHRINK, MOST_GROWTH = 1.2, 0.2, 0.15
"""Largest change of the logarithm of a scale; less for skin that the photo does not show, which would get gaps."""
MOST_SHIFT, MOST_UNSEEN_SHIFT = 2.0, 1.5
"""Pixels; the second is for skin that the photo does not show."""
MOST_LOGIT = 4.6
EDGE = 9
"""Pixels from the matte's soft edge within which a Gaussian belongs to the outline."""
DAMPING = 0.3
"""Part of the gradients' root mean square that is added to each one's own: a Gaussian that is hardly seen hardly changes."""
ASLANT, SQUARE = 0.15, 0.6
"""Cosine between normal and view direction at which a Gaussian may not change its colour or size, nor skin become more opaque,
and from which it may in full: one that is seen aslant is large from the side."""
RIM = 24
"""Pixels from the matte's soft edge within which Gaussians that the photo does not show may shine through it."""


@dataclass
class _Parameter:
    """Values that are fitted, with Adam's moments. value: (N, C). low, high: bounds."""

    value: Array
    low: Array
    high: Array
    first: Array
    second: Array
    damping: float = 0.0

    @staticmethod
    def of(value: Array, low: Array, high: Array) -> _Parameter:
        return _Parameter(value.copy(), low, high, np.zeros_like(value), np.zeros_like(value))

    def step(self, gradient: Array, rate: float, number: int) -> None:
        """One step of Adam, cut to the bounds. number: from 1 on."""
        a, b = MOMENTS
        if number == 1:
            self.damping = (
                DAMPING * float(np.sqrt(np.mean(np.square(gradient[np.any(gradient, axis=1)])))) if gradient.any() else 1.0
            )
        self.first += (1 - a) * (gradient - self.first)
        self.second += (1 - b) * (gradient * gradient - self.second)
        size = np.sqrt(self.second / (1 - b**number)) + self.damping
        self.value = np.clip(self.value - rate * self.first / (1 - a**number) / size, self.low, self.high)


@dataclass(frozen=True)
class OwnView:
    """A photo. camera: its camera, in a world of its OpenGL axes. at: the triangles posed there. shown: (S, S) in [0, 1], the
    confidence in each pixel. colors: (S, S, 3) the person's own."""

    portrait: Portrait
    camera: Camera
    at: Frames
    shown: Array
    colors: Array


def fit_own_view(gaussians: BoundGaussians, shown: int, skin: NDArray[np.bool_], fixed: Array, photo: OwnView) -> BoundGaussians:
    """The Gaussians, fitted to the photo. The first `shown` of them were lifted from it. skin: (N,) those of bare skin. fixed:
    (N,) in [0, 1], how far each keeps its colour."""
    portrait, camera, at = photo.portrait, photo.camera, photo.at
    world = binding.to_world(gaussians, at)
    edge, rim, hair = _near_edge(world, portrait, camera)
    lifted = np.arange(len(gaussians)) < shown
    moving = np.where(lifted, edge, rim)
    logit = np.log(np.clip(world.opacities, 1e-3, 0.99) / (1 - np.clip(world.opacities, 1e-3, 0.99)))[:, None]
    square = _squareness(world)[:, None]
    most = np.select([edge & hair, edge], [MOST_STRAND_COLOR, MOST_RIM_COLOR], MOST_COLOR)
    color_room = (most * lifted * (1 - fixed))[:, None] * square
    whiter = np.where((edge & hair)[:, None], np.minimum(color_room, MOST_WHITER), color_room)
    delicate = (~lifted & skin)[:, None]
    shrink = np.where(delicate, MOST_UNSEEN_SHRINK, np.where(lifted[:, None], MOST_SHRINK * square, MOST_SHRINK))
    shift = np.where(delicate, MOST_UNSEEN_SHIFT, MOST_SHIFT)
    free, soft = moving[:, None].astype(np.float32), (lifted & edge)[:, None]
    zero2, zero3 = np.zeros((len(world), 2), np.float32), np.zeros((len(world), 3), np.float32)
    grown = np.where(skin[:, None], logit + square * np.maximum(MOST_LOGIT - logit, 0), MOST_LOGIT)
    solid = np.where(soft, grown, logit)
    parameters = {
        "colors": _Parameter.of(world.colors, np.clip(world.colors - color_room, 0, 1), np.clip(world.colors + whiter, 0, 1)),
        "logits": _Parameter.of(logit, np.where(soft, -6.0, logit), solid),
        "log_scales": _Parameter.of(zero3, -shrink * free + zero3, MOST_GROWTH * free * lifted[:, None] + zero3),
        "shifts": _Parameter.of(zero2, -shift * free + zero2, shift * free + zero2),
    }
    metres = -world.means[:, 2:] / camera.fx * np.array([1.0, -1.0], np.float32)
    shares = portrait.matte[..., None]
    truth, known = photo.colors * shares + 1 - shares, portrait.inside * (photo.shown == 1)
    for number in range(1, STEPS + 1):
        now = _moved(world, parameters, metres)
        drawn = ColorDrawing(now, camera, np.ones(3, np.float32))
        by_color = 2 * known[..., None] * (drawn.color - truth)
        by_alpha = 2 * ALPHA_WEIGHT * known * (drawn.alpha - portrait.matte)
        means, _, scales, opacities, colors = drawn.backward(by_color, by_alpha)
        gradients = {
            "colors": colors,
            "logits": (opacities * now[3] * (1 - now[3]))[:, None],
            "log_scales": scales * now[2],
            "shifts": means[:, :2] * metres,
        }
        part = DECAY ** ((number - 1) / STEPS)
        for name, parameter in parameters.items():
            parameter.step(gradients[name], RATES[name] * part, number)
    means, rotations, scales, opacities, colors = _moved(world, parameters, metres)
    return binding.bind(
        Gaussians(means, rotations, scales, np.where(soft[:, 0], opacities, world.opacities), colors), gaussians.face, at
    )


def _moved(world: Gaussians, parameters: dict[str, _Parameter], metres: Array) -> list[Array]:
    """Means, rotations, scales, opacities and colours with the fitted changes."""
    means = world.means.copy()
    means[:, :2] += parameters["shifts"].value * metres
    scales = world.scales * np.exp(parameters["log_scales"].value)
    opacities = 1 / (1 + np.exp(-parameters["logits"].value[:, 0]))
    return [np.asarray(a, np.float32) for a in (means, world.rotations, scales, opacities, parameters["colors"].value)]


def _squareness(world: Gaussians) -> Array:
    """(N,) in [0, 1], 0 for a flat Gaussian that the camera at the origin sees aslant, 1 for one that it sees square on."""
    w, x, y, z = world.rotations.T
    normal = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)
    facing = np.abs(np.sum(normal * world.means, axis=1)) / np.linalg.norm(world.means, axis=1)
    return np.clip((facing - ASLANT) / (SQUARE - ASLANT), 0, 1).astype(np.float32)


def _near_edge(world: Gaussians, portrait: Portrait, camera: Camera) -> tuple[NDArray[np.bool_], ...]:
    """(N,) whether each Gaussian lies at the matte's soft edge; whether near it or outside; and whether on hair."""
    side = portrait.matte.shape[0]
    solid = (portrait.matte > 0.97) | ~portrait.inside
    inwards = ndimage.distance_transform_edt(solid)
    column, row = np.clip(np.floor(camera.project(world.means)).astype(int), 0, side - 1).T
    return inwards[row, column] < EDGE, inwards[row, column] < RIM, portrait.hairy[row, column]
