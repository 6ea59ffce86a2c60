"""The networks that an avatar carries (`models.networks`), ready to run: from 52 coefficients to what a correction's basis says.

The weights are the file's, the layers are this module's and `models.nets`'; both networks change nothing at rest. They run in
torch on any device and export to ONNX (`models.engines.export`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models import arkit
from models.avatar import Avatar
from models.heads.base import PersonHead
from models.nets.coin import position_embedding
from models.nets.deformation import Deformation
from models.nets.dynamics import Dynamics
from models.networks import DEFORMATION, DYNAMICS, Networks
from models.types import Array

MOST = 1000.0
"""Of a number that comes out, whatever a file says."""


class AvatarDynamics(nn.Module):
    """Coefficients (52,) -> the changes (A, 14) of the active Gaussians, as `Corrections.gaussians` gives them.

    What the network knows the Gaussians by is worked out once.
    """

    before: Tensor
    resting: Tensor
    length: Tensor
    colors: Tensor

    def __init__(self, tensors: Mapping[str, NDArray[np.floating]]) -> None:
        super().__init__()
        net = Dynamics()
        _load(net, tensors, "points")
        points = _tensor(tensors["points"])
        with torch.no_grad():
            before = net.place(position_embedding(points[:, :3], net.octaves))
        self.code, self.mixed, self.last = net.code, net.mixed, net.last
        buffers = {
            "before": before, "resting": torch.relu(before), "length": points[:, 3:4].clamp(min=1e-3), "colors": points[:, 4:],
            "size": net.size,
        }  # fmt: skip
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor, persistent=False)

    size: Tensor

    def forward(self, coefficients: Tensor) -> Tensor:
        """The changes; the optimiser's quaternions have any length and its colours may leave [0, 1], the avatar's do not."""
        moved = torch.relu(self.before + self.mixed(torch.tanh(self.code(coefficients))))
        flat = (self.size * self.last(moved - self.resting)).clamp(-MOST, MOST)
        shift = (self.colors + flat[:, 11:]).clamp(0, 1) - self.colors.clamp(0, 1)
        return torch.cat([flat[:, :3], flat[:, 3:7] / self.length, flat[:, 7:11], shift], dim=1)


class AvatarDeformation(nn.Module):
    """Coefficients (52,) -> offsets (V, 3) of the head's vertices, metres, as `Corrections.vertices` gives them.

    person: a head on the model that it was trained on, without the offsets' directions in its basis.
    """

    still: Tensor

    def __init__(self, tensors: Mapping[str, NDArray[np.floating]], person: PersonHead) -> None:
        super().__init__()
        self.net = Deformation(replace(person, rest=np.asarray(tensors["rest"], np.float32)))
        _load(self.net, tensors, "rest")
        with torch.no_grad():
            self.register_buffer("still", self.net(torch.zeros(arkit.COUNT)), persistent=False)

    def forward(self, coefficients: Tensor) -> Tensor:
        """The offsets without those at rest, which are part of the avatar's."""
        return torch.as_tensor((self.net(coefficients) - self.still).clamp(-MOST, MOST))


def of_dynamics(net: Dynamics, points: Array) -> dict[str, NDArray[np.float16]]:
    """A trained network as an avatar carries it. points: (A, 7), see `models.networks.DYNAMICS`."""
    return _halves(net, DYNAMICS, points=points)


def of_deformation(net: Deformation) -> dict[str, NDArray[np.float16]]:
    """A trained network as an avatar carries it."""
    return _halves(net, DEFORMATION, rest=net.rest.numpy())


def dynamics_of(avatar: Avatar) -> AvatarDynamics | None:
    """What an avatar carries, ready to run; None without."""
    networks = _networks(avatar)
    if networks is None or networks.dynamics is None:
        return None
    with torch.inference_mode(False):  # who draws is in that mode, and what is made in it cannot be exported
        return AvatarDynamics(networks.dynamics).eval().requires_grad_(False)


def deformation_of(avatar: Avatar, person: PersonHead) -> AvatarDeformation | None:
    """The same. person: of `Avatar.person`, with the directions of the vertices in its basis, which are taken out."""
    networks = _networks(avatar)
    if networks is None or networks.deformation is None:
        return None
    plain = replace(person.model, expression_basis=plain_basis(avatar, person))
    with torch.inference_mode(False):
        return AvatarDeformation(networks.deformation, replace(person, model=plain)).eval().requires_grad_(False)


def plain_basis(avatar: Avatar, person: PersonHead) -> Array:
    """(52, V, 3): the expression basis of `Avatar.person` without the directions of the vertices."""
    corrections = avatar.corrections
    if corrections is None or corrections.vertices is None:
        return person.model.expression_basis
    own = corrections.vertices
    return np.asarray(person.model.expression_basis - own.of_coefficients(), np.float32)


def _networks(avatar: Avatar) -> Networks | None:
    return None if avatar.corrections is None else avatar.corrections.networks


def _halves(net: nn.Module, names: Mapping[str, object], **more: Array) -> dict[str, NDArray[np.float16]]:
    values = {name: tensor.detach().cpu().numpy() for name, tensor in net.state_dict().items()} | more
    return {name: values[name].astype(np.float16) for name in names}


def _load(net: nn.Module, tensors: Mapping[str, NDArray[np.floating]], besides: str) -> None:
    net.load_state_dict({name: _tensor(array) for name, array in tensors.items() if name != besides})


def _tensor(array: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.array(array, np.float32))
