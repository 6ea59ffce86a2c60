"""What the acceptance draws: a cloud of Gaussians, and the shipped head with Gaussians scattered on its triangles.

Plain torch on one device; neither numba nor an enrolled avatar is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from models import arkit
from models.heads.anny import AnnyHead
from models.heads.torch_head import TorchHead, TorchPose
from models.torch_binding import Frames, to_world, triangle_frames
from models.types import Camera, Gaussians

if TYPE_CHECKING:
    from models.avatar import Avatar

FLATNESS = 0.2
SHOWN = ("skin", "left_eye", "right_eye", "upper_teeth", "lower_teeth", "body")


@dataclass(frozen=True)
class Splats:
    """The five tensors that a differentiable rasterizer takes; features (N, F)."""

    means: Tensor
    rotations: Tensor
    scales: Tensor
    opacities: Tensor
    features: Tensor

    def all(self) -> tuple[Tensor, ...]:
        return self.means, self.rotations, self.scales, self.opacities, self.features

    def to(self, *kind: torch.dtype | str) -> Splats:
        """The same elsewhere or in another dtype, as new leaves."""
        moved = [tensor.detach() for tensor in self.all()]
        for k in kind:
            moved = [tensor.to(k) for tensor in moved]
        return Splats(*(tensor.clone() for tensor in moved))

    def gaussians(self) -> Gaussians:
        """With the first three features as colours."""
        arrays = [tensor.detach().float().cpu().numpy() for tensor in (*self.all()[:4], self.features[:, :3])]
        return Gaussians(*(np.ascontiguousarray(a) for a in arrays))


def cloud(count: int, features: int, seed: int = 1) -> Splats:
    """Gaussians of 2 to 30 mm within about 15 cm of the origin, turned anyhow, float32 on the CPU."""
    rng = np.random.default_rng(seed)
    arrays = (
        rng.normal(scale=0.15, size=(count, 3)),
        rng.normal(size=(count, 4)),
        np.exp(rng.uniform(np.log(0.002), np.log(0.03), (count, 3))),
        rng.uniform(0, 1, count),
        rng.uniform(0, 1, (count, features)),
    )
    return Splats(*(torch.tensor(a, dtype=torch.float32) for a in arrays))


class PosedHead:
    """Flat Gaussians spread evenly over the shipped head's triangles; posed on the device by `splats`."""

    def __init__(self, count: int, device: str = "cpu", seed: int = 2) -> None:
        model, rng = AnnyHead(), np.random.default_rng(seed)
        self.model = model
        shown = np.flatnonzero(model.region_faces(*SHOWN))
        corners = model.template[model.faces[shown]].astype(np.float64)
        area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        chosen = np.sort(rng.choice(len(shown), count, p=area / area.sum()))
        bary = rng.dirichlet([1.0, 1.0, 1.0], count)
        place = np.einsum("nk,nkc->nc", bary, corners[chosen])
        size = np.sqrt(area.sum() / count)

        self.device = device
        self.head = TorchHead(model).to(device)
        self.faces = torch.as_tensor(model.faces, device=device).long()
        self.face = torch.as_tensor(shown[chosen], device=device).long()
        rest = triangle_frames(torch.as_tensor(model.template, device=device), self.faces)
        self.means = _local(torch.as_tensor(place, dtype=torch.float32, device=device), self.face, rest)
        scales = size * np.array([0.6, 0.6 * FLATNESS, 0.6]) * rng.uniform(0.8, 1.2, (count, 3))  # y is the triangle's normal
        self.scales = torch.as_tensor(scales, dtype=torch.float32, device=device) / rest[2][self.face][:, None]
        spin = rng.uniform(0, np.pi, count)
        turned = np.stack([np.cos(spin), 0 * spin, np.sin(spin), 0 * spin], axis=1)  # about the normal
        self.rotations = torch.as_tensor(turned, dtype=torch.float32, device=device)
        self.opacities = torch.as_tensor(rng.uniform(0.5, 0.99, count), dtype=torch.float32, device=device)
        colors = 0.5 + 0.4 * np.sin(45 * place + np.array([0.0, 1.0, 2.0]))
        self.colors = torch.as_tensor(colors, dtype=torch.float32, device=device)

    def splats(self, coefficients: Tensor, turn: float = 0.0) -> Splats:
        """In the world under 52 coefficients (on the device) and a turn of the head to its left, radians."""
        pose = TorchPose.rest(1, dtype=torch.float32, device=self.device)
        pose.head[0, 1] = turn
        nobody = torch.zeros(1, self.model.identity_count, device=self.device)
        vertices = self.head(nobody, coefficients[None], pose)[0]
        at = triangle_frames(vertices, self.faces)
        return Splats(*to_world(self.face, self.means, self.rotations, self.scales, at), self.opacities, self.colors)

    def expression(self, moment: float) -> Tensor:
        """(52,) something said and blinked at a moment in seconds."""
        wave = float(0.5 - 0.5 * np.cos(2 * np.pi * moment))
        values = arkit.vector(jawOpen=0.6 * wave, mouthSmileLeft=0.5 * wave, eyeBlinkRight=1 - wave, browInnerUp=0.4)
        return torch.as_tensor(np.asarray(values, np.float32), device=self.device)

    def avatar(self) -> Avatar:
        """The same as an avatar, for what poses with numba."""
        from models.avatar import Avatar
        from models.binding import BoundGaussians

        tensors = (self.means, self.rotations, self.scales, self.opacities, self.colors)
        local = [np.ascontiguousarray(tensor.cpu().numpy(), np.float32) for tensor in tensors]
        nobody = np.zeros(self.model.identity_count, np.float32)
        bound = BoundGaussians(self.face.cpu().numpy().astype(np.int32), *local)
        return Avatar(self.model.name, nobody, np.zeros_like(self.model.template), bound)

    def live_poser(self) -> Callable[[float], Gaussians]:
        """A moment in seconds -> the Gaussians as the service poses them (numba)."""
        from models.avatar import AvatarPoser

        poser = AvatarPoser(self.avatar(), self.model)
        return lambda moment: poser.pose(self.expression(moment).cpu().numpy())


def _local(points: Tensor, face: Tensor, at: Frames) -> Tensor:
    """World points into their triangles' frames, in units of the triangle."""
    back = at[1][face] * torch.tensor([1.0, -1.0, -1.0, -1.0], device=points.device)
    away = points - at[0][face]
    t = 2 * torch.linalg.cross(back[:, 1:], away)
    return (away + back[:, :1] * t + torch.linalg.cross(back[:, 1:], t)) / at[2][face][:, None]


def camera(size: int, yaw: float = 0.3) -> Camera:
    """A square picture that the head fills."""
    return Camera.orbit(yaw, 0.05, distance=0.9, width=size, height=size, fov_y=float(np.deg2rad(22)))
