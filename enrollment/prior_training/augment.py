"""Changes of what is trained on. Whole pairs: mirrored, in other colours, so that fewer people are seen twice. The driving face
(G1): the latent must not depend on light, camera, or where exactly its parts were cut out."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from models import arkit
from models.diffusion.batch import COLORS, NORMALS, Batch, Faces
from models.diffusion.points import TWINS

PAINT = 0.3
"""Logarithm of the largest exponent that a colour is raised to."""
ZOOM, TURN, SHIFT = 0.2, 0.3, 0.15
"""Largest changes of a part at strength 1: of the logarithm of its scale, in radians, in half parts."""
TINT = 0.15
"""By which part of itself a face's red, green or blue may change."""


def varied(batch: Batch, generator: torch.Generator, clips: int | None = None) -> Batch:
    """Half of the clips (default: of the rows) in a mirror, each with its own tone curve.

    The curves keep black and white where they are, and are the same for photo, coarse view and truth, so that these still belong
    together. All randomness comes from `generator`, on the CPU.
    """
    rows = len(batch)
    clips = clips or rows
    flip = (torch.rand(clips, generator=generator) < 0.5).repeat_interleave(rows // clips).to(batch.pose.device)
    power = torch.exp(PAINT * (2 * torch.rand(clips, 2, 3, 1, 1, generator=generator) - 1).mean(dim=1))
    power = power.repeat_interleave(rows // clips, dim=0).to(batch.pose)
    changed = {}
    for name, tensor in batch.__dict__.items():
        if name == "coefficients":
            changed[name] = torch.where(flip[:, None], tensor[:, list(arkit.MIRROR)], tensor)
            continue
        if name in (*COLORS, "driving"):
            tensor = tensor.clamp(min=0) ** power
        turned = mirrored(tensor) if name == "driving" else tensor.flip(-1)
        if name in NORMALS:
            turned = turned * turned.new_tensor([-1, 1, 1])[:, None, None]
        changed[name] = torch.where(flip[:, None, None, None], turned, tensor)
    return Batch(**changed)


def varied_faces(faces: Faces, generator: torch.Generator, strength: float = 1.0) -> Faces:
    """Half of the groups in a mirror; every crop changed in its own way, see `augmented`."""
    flip = (torch.rand(len(faces.crops), generator=generator) < 0.5).to(faces.crops.device)
    turned = mirrored(faces.crops.flatten(0, 2)).reshape(faces.crops.shape)
    flips = flip[:, None, None, None, None, None]
    crops = torch.where(flips, turned, faces.crops)
    points = torch.where(flips, mirrored_points(faces.points), faces.points)
    coefficients = torch.where(flip[:, None, None], faces.coefficients[..., list(arkit.MIRROR)], faces.coefficients)
    if strength == 0:
        return Faces(crops, points, coefficients)
    parts, matrix = _moved(_apart(crops.flatten(0, 2)), generator, strength)
    x = _relit(_together(parts), generator, strength)
    return Faces(x.reshape(crops.shape), _followed(points.flatten(0, 3), matrix).reshape(points.shape), coefficients)


def augmented(crops: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Parts of faces (B, 3, S, S) in [0, 1] -> the same. All randomness comes from `generator`, on the CPU; strength 0 changes
    nothing.

    Each face its own noise and blur, each part its own scale, rotation and translation, as much as strength says; and whatever
    it says, each face its own brightness, contrast, saturation and tint, since no camera's are known.
    """
    if strength == 0:
        return crops
    return _relit(_together(_moved(_apart(crops), generator, strength)[0]), generator, strength)


def _relit(x: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """(B, 3, S, S): other light and colours, blur, noise."""

    def uniform(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(len(x), 1, 1, 1, generator=generator)).to(x)

    grey = x.mean(dim=1, keepdim=True)
    x = torch.lerp(grey.expand_as(x), x, uniform(0.4, 1.4))
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    tint = TINT * (2 * torch.rand(len(x), 3, 1, 1, generator=generator) - 1).to(x)
    x = (mean + (x - mean) * uniform(0.7, 1.3)) * (1 + tint) + uniform(-0.15, 0.15)
    blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    x = torch.lerp(x, blurred, uniform(-1.0, 1.0).clamp(min=0) * min(strength, 1.0))
    noise = torch.randn(x.shape, generator=generator).to(x)
    return (x + noise * uniform(0.0, 0.04 * strength)).clamp(0, 1)


def mirrored(crops: Tensor) -> Tensor:
    """The parts (B, 3, S, S) of the faces in a mirror: the eyes change places, and one of them is kept mirrored already."""
    right, left, *others = _apart(crops).unflatten(0, (-1, 4)).unbind(1)
    return _together(torch.stack([left, right, *(part.flip(-1) for part in others)], dim=1).flatten(0, 1))


def mirrored_points(points: Tensor) -> Tensor:
    """Where the landmarks (..., 4, K, 2) of `mirrored` faces lie."""
    right, left, mouth, face = points.unbind(-3)
    turned = [part[..., list(twins), :] * part.new_tensor([-1, 1]) for part, twins in zip((mouth, face), TWINS)]
    return torch.stack([left, right, *turned], dim=-3)


def _apart(crops: Tensor) -> Tensor:
    """(B, 3, S, S) -> (4 B, 3, S / 2, S / 2), the quarters of each row by row."""
    b, c, h, w = crops.shape
    return crops.reshape(b, c, 2, h // 2, 2, w // 2).permute(0, 2, 4, 1, 3, 5).reshape(4 * b, c, h // 2, w // 2)


def _together(parts: Tensor) -> Tensor:
    b, c, h, w = len(parts) // 4, *parts.shape[1:]
    return parts.reshape(b, 2, 2, c, h, w).permute(0, 3, 1, 4, 2, 5).reshape(b, c, 2 * h, 2 * w)


def _moved(parts: Tensor, generator: torch.Generator, strength: float) -> tuple[Tensor, Tensor]:
    """Parts (B, 3, S, S), each scaled, turned and shifted in its own way, and (B, 2, 3) the place where each of its places was,
    both in half parts from the middle."""

    def uniform(most: float) -> Tensor:
        return most * strength * (2 * torch.rand(len(parts), generator=generator) - 1)

    scale, angle = torch.exp(uniform(ZOOM)), uniform(TURN)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = [torch.stack([cos, -sin, uniform(SHIFT)], dim=1), torch.stack([sin, cos, uniform(SHIFT)], dim=1)]
    matrix = torch.stack(rows, dim=1).to(parts)
    grid = F.affine_grid(matrix, list(parts.shape), align_corners=False)
    return F.grid_sample(parts, grid, mode="bilinear", padding_mode="border", align_corners=False), matrix


def _followed(points: Tensor, matrix: Tensor) -> Tensor:
    """Where the points (B, K, 2) of parts lie after `_moved`."""
    return torch.linalg.solve(matrix[:, None, :, :2], (points - matrix[:, None, :, 2])[..., None])[..., 0]
