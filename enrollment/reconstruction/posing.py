"""Posing in torch, differentiable: a rig whose parameters may be refined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from enrollment.reconstruction.capture import Frame
from models import binding
from models.heads.base import PersonHead, Pose, rotation_log, rotation_vector
from models.heads.torch_head import TorchHead, TorchPose
from models.torch_binding import Frames
from models.types import Array

RAMP, HOLD = 0.2, 0.8
"""Parts of all steps at which the rig's learning rate is full, and begins to fall (GeoDiff4D A.2: 20K and 80K of 100K)."""
START, END = 0.01, 0.01
"""Parts of the full rate that it begins with and ends at."""
HALF = 0.1
"""Metres, half a head."""
FAST = ("coefficients", "gaze")
SLOW = ("head", "head_translation", "body", "body_translation")


def rig_rate(step: int, steps: int) -> float:
    """Part of the full learning rate of the rig's residuals: linear warm-up, hold, exponential decay (G10)."""
    at = step / max(steps, 1)
    if at < RAMP:
        return START + (1 - START) * at / RAMP
    return 1.0 if at < HOLD else float(END ** ((at - HOLD) / (1 - HOLD)))


def fixed_frames(person: PersonHead, frame: Frame) -> Frames:
    """The triangles' frames under one frame's own pose, without gradients."""
    return as_tensors(binding.frames(person.vertices(frame.coefficients, frame.pose), person.model.faces))


def as_tensors(at: binding.Frames) -> Frames:
    """The same numbers for torch."""
    return torch.from_numpy(at.origin), torch.from_numpy(at.rotation), torch.from_numpy(at.scale)


class Rig(nn.Module):
    """A person in the poses of T frames, with learnable residuals on everything (GeoDiff4D sec. 3.3, A.2).

    coefficients (T, 52), gaze (T, 2, 2); head, body (T, 3) rotation vectors and their translations (T, 3);
    identity (K,) and offset (V, 3), shared. All begin at zero. Translations are counted in what they change on the picture:
    along the line of sight they reach as much further as it takes to move the head's outline by a metre.
    """

    def __init__(self, person: PersonHead, identity: Array, offset: Array, frames: Sequence[Frame]) -> None:
        super().__init__()
        model = person.model
        self.model = TorchHead(model)
        edges = np.concatenate([model.faces[:, [0, 1]], model.faces[:, [1, 2]], model.faces[:, [2, 0]]])
        self.edges = torch.from_numpy(np.unique(np.sort(edges, axis=1), axis=0)).long()
        self.faces = torch.from_numpy(model.faces).long()
        count = len(frames)
        poses = [frame.pose for frame in frames]
        heads, bodies = [p.head for p in poses], [p.body for p in poses]
        self.base = {
            "coefficients": _stack([f.coefficients for f in frames]), "gaze": _stack([p.gaze for p in poses]),
            "head": _stack([rotation_log(m[:3, :3]) for m in heads]), "head_translation": _stack([m[:3, 3] for m in heads]),
            "body": _stack([rotation_log(m[:3, :3]) for m in bodies]), "body_translation": _stack([m[:3, 3] for m in bodies]),
            "identity": _stack([identity])[0], "offset": torch.from_numpy(np.asarray(offset, np.float32)),
        }  # fmt: skip
        self.leverage = _stack([_leverage(f) for f in frames])
        self.jaw = _stack([np.array(p.jaw) for p in poses])
        shapes = {name: self.base[name].shape[1:] for name in (*FAST, *SLOW)}
        self.residuals = nn.ParameterDict({name: torch.zeros(count, *shape) for name, shape in shapes.items()})
        self.residuals["identity"] = nn.Parameter(torch.zeros_like(self.base["identity"]))
        self.residuals["offset"] = nn.Parameter(torch.zeros_like(self.base["offset"]))

    def forward(self, index: int, deformation: Tensor | None = None) -> Tensor:
        """Vertices of frame `index` in its world, (V, 3) metres. deformation: (V, 3) metres, before the skinning."""
        now = {name: (self.base[name][index] + self._change(name)[index])[None] for name in (*FAST, *SLOW)}
        offset = self.base["offset"] + self.residuals["offset"]
        pose = TorchPose(
            now["head"], now["head_translation"], now["body"], now["body_translation"], now["gaze"], self.jaw[index : index + 1]
        )
        identity = self.base["identity"] + self.residuals["identity"]
        moved = offset if deformation is None else offset + deformation
        return torch.as_tensor(self.model(identity[None], now["coefficients"], pose, moved)[0])

    def _change(self, name: str) -> Tensor:
        """What is added to the poses of all frames, (T, ...)."""
        residual = self.residuals[name]
        return torch.einsum("trc,tc->tr", self.leverage, residual) if name.endswith("translation") else residual

    @torch.no_grad()
    def project(self) -> None:
        """Keep the coefficients in [0, 1]."""
        base, residual = self.base["coefficients"], self.residuals["coefficients"]
        residual.copy_((base + residual).clamp(0, 1) - base)

    def roughness(self) -> Tensor:
        """Mean square of the offset residual's differences along the mesh's edges, square millimetres."""
        o = 1e3 * self.residuals["offset"]
        return (o[self.edges[:, 0]] - o[self.edges[:, 1]]).square().sum(dim=1).mean()

    def size(self) -> Tensor:
        """Mean squares of the expression and identity residuals, in units of 0.1 and 1."""
        return (10 * self.residuals["coefficients"]).square().mean() + self.residuals["identity"].square().mean()

    @torch.no_grad()
    def refined(self, frames: Sequence[Frame]) -> tuple[Frame, ...]:
        """The frames with their poses and expressions as they are now."""
        now = {name: (self.base[name] + self._change(name)).double().numpy() for name in (*FAST, *SLOW)}
        out = []
        for i, frame in enumerate(frames):
            head, body = np.eye(4), np.eye(4)
            head[:3, :3], head[:3, 3] = rotation_vector(now["head"][i]), now["head_translation"][i]
            body[:3, :3], body[:3, 3] = rotation_vector(now["body"][i]), now["body_translation"][i]
            pose = Pose(head, body, now["gaze"][i].astype(np.float32), frame.pose.jaw)
            out.append(replace(frame, pose=pose, coefficients=now["coefficients"][i].astype(np.float32)))
        return tuple(out)

    def shape(self) -> tuple[Array, Array]:
        """Identity (K,) and offset (V, 3) as they are now."""
        both = (self.base[name] + self.residuals[name].detach() for name in ("identity", "offset"))
        identity, offset = (tensor.numpy().copy() for tensor in both)
        return identity, offset


def _leverage(frame: Frame) -> np.ndarray:
    """(3, 3) what a translation residual does in the world: itself across the line of sight, distance over HALF times along."""
    sight = frame.pose.head[:3, 3] - frame.camera.position
    distance = float(np.linalg.norm(sight))
    direction = sight / max(distance, 1e-6)
    return np.eye(3) + (max(distance / HALF, 1.0) - 1.0) * np.outer(direction, direction)


def _stack(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack([np.asarray(a, np.float32) for a in arrays]))
