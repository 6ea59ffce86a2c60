"""`models.avatar.AvatarPoser` in torch: an avatar posed on the device that draws it, so nothing of it goes through the host.

It agrees with the numba poser to 2e-5 m, a thousandth of each scale, and 1e-4 in all else (tests/models/test_torch_posing.py),
but for an avatar that carries its networks: these run here, where the numba poser has the directions that stand in for them.
Only a pose goes to the device each time: 52 coefficients and six transforms. Nothing here is made for gradients;
enrollment/reconstruction has what is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models import arkit
from models.avatar import Avatar
from models.binding import BoundGaussians
from models.corrections import CHANNELS, MOST_EXPONENT
from models.engines.choose import on_device
from models.engines.on_device import OnDevice
from models.heads.base import JOINTS, PersonHead, Pose, skinning_transforms
from models.nets import avatar_networks
from models.torch_binding import Frames, to_world, triangle_frames
from models.types import Array

POSE_NUMBERS = arkit.COUNT + 12 * len(JOINTS)
"""float32 that say how somebody looks now: see `pose_numbers`."""
LEAST_SQUARE = 1e-6
"""Squared length of a corrected quaternion under which it is none, as `models.corrections` has it."""


def pose_numbers(person: PersonHead, coefficients: NDArray[np.floating], pose: Pose) -> Array:
    """(POSE_NUMBERS,) float32 for `TorchPoser.pose`: the 52 coefficients, then the six joints' (3, 4) transforms."""
    transforms = skinning_transforms(person.joints, pose)[:, :3]
    return np.concatenate([np.asarray(coefficients, np.float32), transforms.reshape(-1).astype(np.float32)])


@dataclass(frozen=True)
class BoundTensors:
    """`BoundGaussians` on a device: face (N,) int64, the rest float32."""

    face: Tensor
    means: Tensor
    rotations: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor

    @staticmethod
    def of(bound: BoundGaussians, device: torch.device) -> BoundTensors:
        """Copied to `device`."""
        numbers = (bound.means, bound.rotations, bound.scales, bound.opacities, bound.colors)
        return BoundTensors(
            torch.from_numpy(bound.face.astype(np.int64)).to(device),
            *(torch.from_numpy(np.array(values, np.float32)).to(device) for values in numbers),
        )


class TorchPoser:
    """Poses one avatar on a device. person: `avatar.person(model)`. Nothing in it is written over by another call."""

    def __init__(self, avatar: Avatar, person: PersonHead, device: torch.device) -> None:
        model = person.model
        self.device = device
        self._rest = self._tensor(person.rest)
        self._deformation = self._running(avatar_networks.deformation_of(avatar, person), "the deformation of an avatar")
        self._dynamics = self._running(avatar_networks.dynamics_of(avatar), "the dynamics of an avatar")
        basis = model.expression_basis if self._deformation is None else avatar_networks.plain_basis(avatar, person)
        self._basis = self._tensor(basis.reshape(arkit.COUNT, -1))
        self._weights = self._tensor(model.weights)
        self._faces = torch.from_numpy(model.faces.astype(np.int64)).to(device)
        self._bound = BoundTensors.of(avatar.gaussians, device)
        self._active: Tensor | None = None
        corrections = avatar.corrections
        if corrections is not None and corrections.gaussians is not None:
            self._active = torch.from_numpy(corrections.active.astype(np.int64)).to(device)
            own = corrections.gaussians
            self._mixing, self._directions = (
                self._tensor(own.mixing),
                self._tensor(own.directions.reshape(len(own.directions), -1)),
            )

    def _running(self, network: nn.Module | None, name: str) -> OnDevice | None:
        if network is None:
            return None
        return on_device(network.to(self.device), torch.zeros(arkit.COUNT, device=self.device) + 0.2, name)

    def _tensor(self, values: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device)

    def pose(self, numbers: Tensor) -> Frames:
        """The triangles' frames. numbers: (POSE_NUMBERS,) float32 on the device, of `pose_numbers`."""
        coefficients, transforms = numbers[: arkit.COUNT], numbers[arkit.COUNT :].reshape(len(JOINTS), 12)
        vertices = self._rest + (coefficients @ self._basis).reshape(-1, 3)
        if self._deformation is not None:
            vertices = vertices + self._deformation(coefficients)
        blended = (self._weights @ transforms).reshape(-1, 3, 4)
        vertices = (blended[:, :, :3] * vertices[:, None, :]).sum(dim=2) + blended[:, :, 3]
        return triangle_frames(vertices, self._faces)

    def table(self, frames: Frames, numbers: Tensor) -> Tensor:
        """All Gaussians in the world, (N, COLUMNS) float32. frames, numbers: of that pose."""
        return table(self._corrected(numbers[: arkit.COUNT]), frames)

    def _corrected(self, coefficients: Tensor) -> BoundTensors:
        """As `models.corrections.Corrector`."""
        b, active = self._bound, self._active
        if active is None:
            return b
        if self._dynamics is not None:
            changes = self._dynamics(coefficients)
        else:
            changes = ((coefficients @ self._mixing) @ self._directions).reshape(len(active), -1)
        mean, turn, size, odds, color = changes.split(list(CHANNELS.values()), dim=1)
        rest = b.rotations[active]
        turned = rest + turn
        turned = torch.where((turned * turned).sum(dim=1, keepdim=True) < LEAST_SQUARE, rest, turned)
        growth = torch.exp(size.clamp(-MOST_EXPONENT, MOST_EXPONENT))
        more = torch.exp(odds[:, 0].clamp(-MOST_EXPONENT, MOST_EXPONENT))
        opacity = b.opacities[active]
        return BoundTensors(
            b.face,
            b.means.index_copy(0, active, b.means[active] + mean),
            b.rotations.index_copy(0, active, torch.nn.functional.normalize(turned, dim=1)),
            b.scales.index_copy(0, active, b.scales[active] * growth),
            b.opacities.index_copy(0, active, opacity * more / (1.0 - opacity + opacity * more)),
            b.colors.index_copy(0, active, (b.colors[active] + color).clamp(0.0, 1.0)),
        )


def table(bound: BoundTensors, frames: Frames) -> Tensor:
    """Bound Gaussians in the world, (N, COLUMNS) float32, with the columns of `models.splat.batch_cuda`."""
    means, rotations, scales = to_world(bound.face, bound.means, bound.rotations, bound.scales, frames)
    return torch.cat([means, rotations, scales, bound.opacities[:, None], bound.colors], dim=1)
