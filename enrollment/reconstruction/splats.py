"""The Gaussians while they are optimised: unbounded parameters, where they came from, and how their number changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from enrollment.reconstruction.adam import Adam
from models.binding import BoundGaussians

NAMES = ("means", "rotations", "log_scales", "logits", "colors")
LONGEST, LARGEST = 1.0, 0.6
"""GaussianAvatars' thresholds for means and scales, in units of the triangle."""
SMALLEST = 1e-6
MOST_LOGIT = 6.0
SHRUNK, APART = 1.6, 0.7
"""What a split Gaussian's longest scale is divided by (Kerbl et al. 2023, sec. 5.2), and how far its halves sit from the
middle, in old standard deviations."""


@dataclass
class Splats:
    """N bound Gaussians.

    face: (N,) int64. now: trainable tensors by NAMES: means (N, 3), rotations (N, 4) wxyz of any length, log_scales (N, 3),
    logits (N,) of the opacities, colors (N, 3). first: the same as they came. seen: (N,) how well the frames show each, [0, 1].
    """

    face: Tensor
    now: dict[str, Tensor]
    first: dict[str, Tensor]
    seen: Tensor

    @staticmethod
    def of(bound: BoundGaussians) -> Splats:
        opacity = torch.from_numpy(np.clip(bound.opacities, 1e-4, 1 - 1e-4).astype(np.float32))
        arrays = (bound.means, bound.rotations, np.log(np.maximum(bound.scales, SMALLEST)), None, bound.colors)
        tensors = [torch.logit(opacity) if a is None else torch.from_numpy(np.array(a, np.float32)) for a in arrays]
        first = dict(zip(NAMES, tensors, strict=True))
        now = {name: tensor.clone().requires_grad_() for name, tensor in first.items()}
        return Splats(torch.from_numpy(bound.face.astype(np.int64)), now, first, torch.ones(len(bound)))

    def __len__(self) -> int:
        return len(self.face)

    def bound(self) -> BoundGaussians:
        """As arrays, with colours in [0, 1] and rotations of unit length."""
        with torch.no_grad():
            rotations = torch.nn.functional.normalize(self.now["rotations"], dim=1)
            tensors = (self.now["means"], rotations, self.now["log_scales"].exp(), self.now["logits"].sigmoid())
            means, q, scales, opacities = (t.numpy().copy() for t in tensors)
            return BoundGaussians(
                self.face.numpy().astype(np.int32), means, q, scales, opacities, self.now["colors"].clamp(0, 1).numpy().copy()
            )

    def excess(self) -> tuple[Tensor, Tensor]:
        """How far means and scales of the seen Gaussians are beyond GaussianAvatars' thresholds, means over N.

        One that came larger than the threshold may stay as large as it came: hair hangs far from its triangle.
        """
        means, scales = self.now["means"], self.now["log_scales"].exp()
        furthest = self.first["means"].norm(dim=1).clamp(min=LONGEST)
        largest = self.first["log_scales"].exp().amax(dim=1, keepdim=True).clamp(min=LARGEST)
        long = torch.relu((means.square().sum(dim=1) + 1e-12).sqrt() - furthest)
        return (self.seen * long).mean(), (self.seen[:, None] * torch.relu(scales - largest)).sum(dim=1).mean()

    @torch.no_grad()
    def pull(self, unseen: float, seen: float, enough: float) -> None:
        """Take each a part of the way back to where it came from: `unseen` of it when no frame shows it, `seen` when they show it
        `enough` or better."""
        part = unseen + (seen - unseen) * (self.seen / enough).clamp(max=1)
        for name, tensor in self.now.items():
            tensor.lerp_(self.first[name], part.reshape(-1, *[1] * (tensor.dim() - 1)))
        self.now["logits"].clamp_(-MOST_LOGIT, MOST_LOGIT)

    @torch.no_grad()
    def choose(self, source: Tensor, adam: Adam, fresh: Tensor) -> None:
        """Gaussian i becomes what source[i] was. fresh: (M,) bool, those whose moments begin anew."""
        self.face, self.seen = self.face[source], self.seen[source]
        self.first = {name: tensor[source].clone() for name, tensor in self.first.items()}
        self.now = {name: tensor.detach()[source].clone().requires_grad_() for name, tensor in self.now.items()}
        adam.rows(NAMES, source, fresh)

    @torch.no_grad()
    def split(self, which: Tensor, adam: Adam) -> None:
        """Each of `which` (indices) becomes two, half as it were, side by side along its longest axis."""
        count = len(self)
        source = torch.cat([torch.arange(count), which])
        fresh = torch.zeros(len(source), dtype=torch.bool)
        fresh[which], fresh[count:] = True, True
        self.choose(source, adam, fresh)
        children = torch.arange(count, len(source))
        for values in (self.now, self.first):
            scales, q = values["log_scales"], torch.nn.functional.normalize(values["rotations"][which], dim=1)
            axis = scales[which].argmax(dim=1)
            step = APART * scales[which].gather(1, axis[:, None]).exp() * _column(q, axis)
            values["means"][which] += step
            values["means"][children] -= step
            for rows in (which, children):
                scales[rows, axis] -= float(np.log(SHRUNK))

    @torch.no_grad()
    def prune(self, transparent: float, adam: Adam) -> int:
        """Remove those with an opacity under `transparent`, unless they came so; returns how many."""
        gone = (self.now["logits"].sigmoid() < transparent) & (self.first["logits"].sigmoid() >= transparent)
        if gone.any() and not gone.all():
            kept = torch.nonzero(~gone)[:, 0]
            self.choose(kept, adam, torch.zeros(len(kept), dtype=torch.bool))
            return int(gone.sum())
        return 0


def _column(q: Tensor, axis: Tensor) -> Tensor:
    """Column axis[i] of the rotation of unit quaternion i: (N, 4), (N,) -> (N, 3)."""
    unit = torch.nn.functional.one_hot(axis, 3).to(q.dtype)
    t = 2 * torch.linalg.cross(q[:, 1:], unit)
    return unit + q[:, :1] * t + torch.linalg.cross(q[:, 1:], t)
