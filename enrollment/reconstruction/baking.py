"""A scene's networks become corrections that the avatar file carries, and what the pictures lose by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enrollment.high.conditions import shrunk
from enrollment.reconstruction.capture import Frame
from enrollment.reconstruction.scene import Scene
from enrollment.reconstruction.targets import Target
from models.avatar import Avatar, AvatarPoser
from models.corrections import Basis, Corrections
from models.heads.base import HeadModel
from models.nets import avatar_networks
from models.nets.bake import RANK, bake, loss_in_decibels
from models.networks import Networks
from models.splat.cpu import CpuRasterizer
from models.types import Array

MOST_ACTIVE = 24_000
"""Gaussians that may change with the expression."""
BUDGET = 192_000
"""Gaussians times directions: what posing has time for (0.6 ms) and a file room (5.4 MB). Gaussians are worth more: of 1.5 dB
that dynamics gained on a clip, 12,000 of 36,000 Gaussians lost 0.14 and 24,000 lost 0.02, with 8 directions as with 5."""
ENOUGH = 0.999
"""Part of the changes, weighed by how much of them can be seen, with which no further Gaussians are taken."""

MOST_EXPRESSIONS = 128
"""Frames whose expressions are looked at, evenly out of all; what they say about 24,000 Gaussians takes 260 MB at most."""


def with_corrections(
    avatar: Avatar, model: HeadModel, scene: Scene, frames: Sequence[Frame], targets: Sequence[Target]
) -> Avatar:
    """`avatar`, which `scene` made, with what its dynamics and its deformation say as corrections; without networks, without.

    frames: the scene's, in the poses it ended with; targets: one for each, on which the loss is measured: with the corrections
    as the file will have them, posed and drawn as a viewer would. What the deformation does to the resting face becomes part
    of the avatar's offset; the dynamics change nothing there.
    """
    chosen = np.unique(np.linspace(0, len(scene.frames) - 1, MOST_EXPRESSIONS).astype(int))
    expressions = np.stack([scene.expression(int(i)).numpy() for i in chosen])
    active, gaussians = np.zeros(0, np.int32), None
    if scene.dynamics is not None:
        active, gaussians = _of_gaussians(scene, expressions)
    offset, vertices = avatar.offset, None
    if scene.deformation is not None:
        with torch.no_grad():
            resting = scene.deformation(torch.zeros(expressions.shape[1]))
        deformation = scene.deformation
        vertices = _useful(bake(lambda e: deformation(e) - resting, expressions).basis)
        offset = offset + resting.numpy()
    if gaussians is None and vertices is None:
        return replace(avatar, offset=offset, corrections=None)
    corrections = Corrections(active, gaussians, vertices, 0.0, _networks(scene, active, gaussians, vertices))
    corrected = replace(avatar, offset=offset, corrections=corrections)
    loss = _loss(corrected, model, scene, frames, targets)
    return replace(corrected, corrections=replace(corrections, loss_db=loss))


def _networks(scene: Scene, active: NDArray[np.int32], gaussians: Basis | None, vertices: Basis | None) -> Networks:
    """What there is a basis of, as the file carries it."""
    dynamics = deformation = None
    if scene.dynamics is not None and gaussians is not None:
        now, chosen = scene.splats.now, torch.from_numpy(active.astype(np.int64))
        known = (scene.places(), now["rotations"].detach().norm(dim=1, keepdim=True), now["colors"].detach())
        dynamics = avatar_networks.of_dynamics(scene.dynamics, torch.cat([part[chosen] for part in known], dim=1).numpy())
    if scene.deformation is not None and vertices is not None:
        deformation = avatar_networks.of_deformation(scene.deformation)
    return Networks(dynamics, deformation)


def _of_gaussians(scene: Scene, expressions: Array) -> tuple[NDArray[np.int32], Basis | None]:
    """Which Gaussians change enough to be worth it, (A,), and how."""
    assert scene.dynamics is not None
    places, dynamics, now = scene.places(), scene.dynamics, scene.splats.now
    unit = 1 / dynamics.size
    with torch.no_grad():
        square = torch.zeros(len(places))
        for row in expressions:
            square += (dynamics.flat(places, torch.from_numpy(row)) * unit).square().sum(dim=1)
        # a change shows by how much of the picture the Gaussian covers and how well the frames saw it; where they did not,
        # the network was never told what to do
        side = now["log_scales"].exp().sort(dim=1).values[:, 1:] * scene.rest[2][scene.splats.face][:, None]
        shown = square * scene.splats.seen * now["logits"].sigmoid() * side.prod(dim=1)
    order = np.argsort(-shown.double().numpy(), kind="stable")
    sums = np.cumsum(shown.double().numpy()[order])
    if not sums[-1] > 0:
        return np.zeros(0, np.int32), None
    useful = min(1 + int(np.searchsorted(sums, ENOUGH * sums[-1])), MOST_ACTIVE, len(order))
    first = np.sort(order[: min(useful, BUDGET // RANK)])
    basis = _baked_dynamics(scene, places, first, expressions, RANK)
    rank = len(basis.directions)
    active = np.sort(order[: min(useful, BUDGET // max(rank, 1))])
    if len(active) > len(first):  # fewer directions do than there is room for: more Gaussians
        basis = _baked_dynamics(scene, places, active, expressions, rank)
    rounded = _useful(basis)
    return (active.astype(np.int32), rounded) if rounded is not None else (np.zeros(0, np.int32), None)


def _baked_dynamics(scene: Scene, places: Tensor, active: NDArray[np.int64], expressions: Array, rank: int) -> Basis:
    assert scene.dynamics is not None
    dynamics, now, chosen = scene.dynamics, scene.splats.now, torch.from_numpy(active)
    near, colors = places[chosen], now["colors"].detach()[chosen]
    length = now["rotations"].detach()[chosen].norm(dim=1, keepdim=True)

    def changes(expression: Tensor) -> Tensor:
        flat = dynamics.flat(near, expression)
        # the optimiser's quaternions have any length and its colours may leave [0, 1]; the avatar's do not
        shift = (colors + flat[:, 11:]).clamp(0, 1) - colors.clamp(0, 1)
        return torch.cat([flat[:, :3], flat[:, 3:7] / length, flat[:, 7:11], shift], dim=1)

    return bake(changes, expressions, rank=rank, scale=1 / dynamics.size.numpy()).basis


def _useful(basis: Basis) -> Basis | None:
    """As the file keeps it, or nothing where it does nothing."""
    rounded = basis.rounded()
    return rounded if rounded.directions.any() else None


def _loss(avatar: Avatar, model: HeadModel, scene: Scene, frames: Sequence[Frame], targets: Sequence[Target]) -> float:
    """Decibels: the networks' pictures against those of `avatar`. COIN, which no avatar has, draws in both."""
    poser, rasterizer = AvatarPoser(replace(avatar, gaussians=scene.splats.bound()), model), CpuRasterizer()
    by = scene.config.oversampled
    truth, network, linear = [], [], []
    with torch.no_grad():
        places = scene.places()
        for index, (frame, target) in enumerate(zip(frames, targets, strict=True)):
            posed = poser.pose(frame.coefficients, frame.pose)
            if scene.coin is not None:
                colors = torch.from_numpy(posed.colors)
                posed = replace(posed, colors=(colors + scene.coin(index, colors, places)).numpy())
            truth.append(target.image.numpy())
            network.append(scene.draw(index, target.camera).color.cpu().numpy())
            fine = target.camera.resized(target.camera.width * by, target.camera.height * by)
            linear.append(shrunk(rasterizer.render(posed, fine).color, by))
    return loss_in_decibels(truth, network, linear)
