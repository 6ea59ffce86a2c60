"""The head model in torch, differentiable in everything, for fitting and training: the same maths as `base`, batched.

Parity with `PersonHead.vertices` is tested to 1e-5 m. Rotations are given as vectors: axis times angle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.heads.base import HEAD, JAW, JOINTS, LEFT_EYE, NECK, RIGHT_EYE, TORSO, HeadModel

SMALL = 1e-8
"""Squared radians under which a rotation is computed from its series, where the exact formula has no gradient."""


@dataclass(frozen=True)
class TorchPose:
    """`Pose` for a batch. All tensors (B, ...), of the head's dtype and device.

    head, body: (B, 3) rotation vectors and head_translation, body_translation: (B, 3) metres; avatar space -> world.
    gaze: (B, 2, 2) radians, rows left and right eye, columns yaw and pitch as in `DriveFrame.gaze`. jaw: (B,) radians of
    extra opening.
    """

    head: Tensor
    head_translation: Tensor
    body: Tensor
    body_translation: Tensor
    gaze: Tensor
    jaw: Tensor

    @staticmethod
    def rest(batch: int, **kind: Any) -> TorchPose:
        """Everything at the origin; `kind` is the tensors' dtype and device."""
        head, head_at, body, body_at = (torch.zeros(batch, 3, **kind) for _ in range(4))
        return TorchPose(head, head_at, body, body_at, torch.zeros(batch, 2, 2, **kind), torch.zeros(batch, **kind))


class TorchHead(nn.Module):
    """A head model's arrays as buffers; move it with `.to`. It has no parameters.

    Pass `dtype=torch.float64` for checks of gradients.
    """

    def __init__(self, model: HeadModel, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        marked, corners = np.unique(model.landmark_corners, return_inverse=True)
        self.whole = _Vertices(model, slice(None), dtype)
        self.marked = _Vertices(model, marked, dtype)
        _keep(self, "joints", torch.as_tensor(model.joints).to(dtype))
        _keep(self, "joints_basis", torch.as_tensor(model.joints_basis).to(dtype))
        _keep(self, "barycentric", torch.as_tensor(model.landmark_barycentric).to(dtype))
        _keep(self, "marked_corners", torch.as_tensor(corners.reshape(-1, 3)))
        _keep(self, "marked_vertices", torch.as_tensor(marked).long())

    joints: Tensor
    joints_basis: Tensor
    barycentric: Tensor
    marked_corners: Tensor
    marked_vertices: Tensor

    def forward(
        self, identity: Tensor, coefficients: Tensor, pose: TorchPose | None = None, offset: Tensor | None = None
    ) -> Tensor:
        """Vertices in the world, (B, V, 3) metres.

        identity: (B, K). coefficients: (B, 52). pose: default at rest. offset: (V, 3) or (B, V, 3) metres.
        """
        v = self.whole.expressed(identity, coefficients, offset)
        return v if pose is None else self.whole.skinned(v, self.transforms(self.rest_joints(identity), pose))

    def landmarks(
        self, identity: Tensor, coefficients: Tensor, pose: TorchPose | None = None, offset: Tensor | None = None
    ) -> Tensor:
        """The 478 landmarks in the world, (B, 478, 3) metres; only the vertices that carry them are computed."""
        part = None if offset is None else offset[..., self.marked_vertices, :]
        v = self.marked.expressed(identity, coefficients, part)
        if pose is not None:
            v = self.marked.skinned(v, self.transforms(self.rest_joints(identity), pose))
        return torch.einsum("nk,bnkc->bnc", self.barycentric, v[:, self.marked_corners])

    def rest_joints(self, identity: Tensor) -> Tensor:
        """(B, K) -> (B, 6, 3) metres, avatar space."""
        return self.joints + _mix(identity, self.joints_basis)

    def transforms(self, joints: Tensor, pose: TorchPose) -> Tensor:
        """(B, 6, 3, 4) for each joint, rest avatar space -> world, as `base.skinning_transforms`. joints: (B, 6, 3)."""
        q_head, q_body = quaternion(pose.head), quaternion(pose.body)
        head, body, neck = matrix(q_head), matrix(q_body), matrix(halfway(q_body, q_head))
        centre = _apply(head, joints[:, HEAD]) + pose.head_translation
        zero = torch.zeros_like(pose.jaw)
        parts = {
            TORSO: _affine(body, pose.body_translation),
            NECK: _affine(neck, centre - _apply(neck, joints[:, HEAD])),
            HEAD: _affine(head, pose.head_translation),
            JAW: _on_head(head, pose, matrix(quaternion(torch.stack([pose.jaw, zero, zero], dim=-1))), joints[:, JAW]),
        }
        for row, joint in enumerate((LEFT_EYE, RIGHT_EYE)):
            yaw, pitch = pose.gaze[:, row, 0], pose.gaze[:, row, 1]
            sideways = matrix(quaternion(torch.stack([zero, yaw, zero], dim=-1)))
            turn = sideways @ matrix(quaternion(torch.stack([-pitch, zero, zero], dim=-1)))
            parts[joint] = _on_head(head, pose, turn, joints[:, joint])
        return torch.stack([parts[j] for j in range(len(JOINTS))], dim=1)


class _Vertices(nn.Module):
    """Some vertices of a head model: what moves them and what they hang on."""

    template: Tensor
    identity_basis: Tensor
    expression_basis: Tensor
    weights: Tensor

    def __init__(self, model: HeadModel, which: slice | NDArray[np.integer], dtype: torch.dtype) -> None:
        super().__init__()
        _keep(self, "template", torch.as_tensor(model.template[which]).to(dtype))
        _keep(self, "identity_basis", torch.as_tensor(model.identity_basis[:, which]).to(dtype))
        _keep(self, "expression_basis", torch.as_tensor(model.expression_basis[:, which]).to(dtype))
        _keep(self, "weights", torch.as_tensor(model.weights[which]).to(dtype))

    def expressed(self, identity: Tensor, coefficients: Tensor, offset: Tensor | None) -> Tensor:
        v = self.template + _mix(identity, self.identity_basis) + _mix(coefficients, self.expression_basis)
        return v if offset is None else v + offset

    def skinned(self, vertices: Tensor, transforms: Tensor) -> Tensor:
        blended = torch.einsum("vj,bjrc->bvrc", self.weights, transforms)
        return torch.einsum("bvrc,bvc->bvr", blended[..., :3], vertices) + blended[..., 3]


def quaternion(vector: Tensor) -> Tensor:
    """Rotation vectors (..., 3) -> unit quaternions wxyz (..., 4); smooth everywhere, also at 0."""
    squared = (vector * vector).sum(dim=-1, keepdim=True)
    tiny = squared < SMALL
    angle = torch.sqrt(torch.where(tiny, torch.ones_like(squared), squared))
    w = torch.where(tiny, 1 - squared / 8, torch.cos(angle / 2))
    factor = torch.where(tiny, 0.5 - squared / 48, torch.sin(angle / 2) / angle)
    return torch.cat([w, factor * vector], dim=-1)


def matrix(q: Tensor) -> Tensor:
    """Unit quaternions wxyz (..., 4) -> rotations (..., 3, 3)."""
    w, x, y, z = q.unbind(dim=-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).reshape(*q.shape[:-1], 3, 3)


def halfway(a: Tensor, b: Tensor) -> Tensor:
    """The unit quaternions half of the way from `a` to `b`, both (..., 4), the short way; no gradient at half a turn."""
    same_side = torch.where((a * b).sum(dim=-1, keepdim=True) < 0, -b, b)
    return nn.functional.normalize(a + same_side, dim=-1)


def _keep(module: nn.Module, name: str, value: Tensor) -> None:
    module.register_buffer(name, value, persistent=False)


def _mix(coefficients: Tensor, basis: Tensor) -> Tensor:
    """(B, K) and (K, N, 3) -> (B, N, 3)."""
    return (coefficients @ basis.flatten(1)).reshape(len(coefficients), *basis.shape[1:])


def _apply(rotation: Tensor, points: Tensor) -> Tensor:
    return torch.einsum("brc,bc->br", rotation, points)


def _affine(rotation: Tensor, translation: Tensor) -> Tensor:
    return torch.cat([rotation, translation[..., None]], dim=-1)


def _on_head(head: Tensor, pose: TorchPose, turn: Tensor, centre: Tensor) -> Tensor:
    """A part that turns about its joint (B, 3) and is carried by the head."""
    return _affine(head @ turn, _apply(head, centre - _apply(turn, centre)) + pose.head_translation)
