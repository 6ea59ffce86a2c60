"""A scene's networks baked into linear bases, and what the pictures lose by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from enrollment.reconstruction.scene import Scene
from enrollment.reconstruction.targets import Target
from models.nets.bake import RANK, Baked, bake, loss_in_decibels
from models.types import Array


def bake_networks(scene: Scene, targets: Sequence[Target], rank: int = RANK) -> tuple[dict[str, Baked], float]:
    """What the scene has of "dynamics" (N, 14) and "deformation" (V, 3), as functions of the 52 coefficients; and decibels.

    targets: one for each of the scene's frames; the loss is the mean over them of the PSNR against their pictures.
    """
    expressions = np.stack([scene.expression(i).numpy() for i in range(len(scene.frames))])
    baked: dict[str, Baked] = {}
    if scene.dynamics is not None:
        places, dynamics = scene.places(), scene.dynamics
        baked["dynamics"] = bake(lambda e: dynamics.flat(places, e), expressions, rank=rank, scale=1 / dynamics.size.numpy())
    if scene.deformation is not None:
        baked["deformation"] = bake(scene.deformation, expressions, rank=rank)
    return baked, _loss(scene, targets, baked, expressions) if baked else 0.0


def _loss(scene: Scene, targets: Sequence[Target], baked: dict[str, Baked], expressions: Array) -> float:
    truth, network, linear = [], [], []
    with torch.no_grad():
        for index, target in enumerate(targets):
            instead = {name: torch.from_numpy(one(expressions[index])) for name, one in baked.items()}
            truth.append(target.image.numpy())
            network.append(scene.draw(index, target.camera).color.numpy())
            linear.append(scene.draw(index, target.camera, instead=instead).color.numpy())
    return loss_in_decibels(truth, network, linear)
