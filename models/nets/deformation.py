"""Per-vertex deformation by a small UNet (GeoDiff4D sec. 3.3, after CAP4D).

It sees where the skin is under the expression alone, head and body at rest (the position map: avatar space, laid out by UV),
attends to the expression, and says by how much each vertex should move besides.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models import arkit
from models.heads.base import HeadModel, PersonHead
from models.heads.raster import rasterize
from models.types import Array, Camera

SIDE = 64
"""Texels of the position map."""
CHANNELS = (16, 32, 48)
TOKENS, WIDTH, HEADS = 8, 32, 4
REACH = 0.25
"""Metres from the middle of the head that the network sees as 1."""
TEETH = ("upper_teeth", "lower_teeth")
UNIT = 2e-3
"""Metres that an output of 1 means."""


def uv_fragments(model: HeadModel, side: int = SIDE) -> tuple[np.ndarray, Array]:
    """Which face each texel shows, (side, side) int32 with -1 for none, and where on it, (side, side, 3) barycentric.

    Teeth are in none: they have a layout of their own, which lies across everybody else's.
    """
    flat = np.concatenate([model.uv, np.ones((len(model.uv), 1), np.float32)], axis=1)
    corners = np.where(model.region_faces(*TEETH)[:, None], 0, model.face_uv)  # a face of no area
    found = rasterize(flat, corners, Camera(side, side, side, side, 0.0, 0.0), cull=False)
    return found.face, found.barycentric


class Deformation(nn.Module):
    """Offsets of one person's vertices from an expression, 52 coefficients or a latent; untrained, none."""

    basis: Tensor
    rest: Tensor
    corners: Tensor
    weights: Tensor
    covered: Tensor
    places: Tensor
    deformable: Tensor

    def __init__(self, person: PersonHead, latent: int = arkit.COUNT, side: int = SIDE) -> None:
        super().__init__()
        model = person.model
        face, barycentric = uv_fragments(model, side)
        self.side = side
        texels = np.nonzero(face.ravel() >= 0)[0]
        uv = np.zeros((model.vertex_count, 2), np.float32)
        uv[model.faces.ravel()] = model.uv[model.face_uv.ravel()]  # at a seam one of the vertex's places
        deformable = np.ones((model.vertex_count, 1), np.float32)
        deformable[model.region_vertices(*TEETH)] = 0
        arrays = {
            "rest": person.rest, "basis": model.expression_basis.reshape(arkit.COUNT, -1), "covered": texels,
            "corners": model.faces[face.ravel()[texels]].astype(np.int64), "weights": barycentric.reshape(-1, 3)[texels],
            "places": 2 * uv - 1, "deformable": deformable,
        }  # fmt: skip
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)), persistent=False)
        a, b, c = CHANNELS
        self.tokens = nn.Linear(latent, TOKENS * WIDTH)
        self.into = nn.Conv2d(4, a, 3, padding=1)
        self.down = nn.ModuleList([nn.Conv2d(a, b, 3, 2, 1), nn.Conv2d(b, c, 3, 2, 1)])
        self.attention = nn.MultiheadAttention(c, HEADS, kdim=WIDTH, vdim=WIDTH, batch_first=True)
        self.normalised = nn.LayerNorm(c)
        self.up = nn.ModuleList([nn.Conv2d(c + b, b, 3, padding=1), nn.Conv2d(b + a, a, 3, padding=1)])
        self.out = nn.Conv2d(a, 3, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        if self.out.bias is not None:
            nn.init.zeros_(self.out.bias)

    def position_map(self, coefficients: Tensor) -> Tensor:
        """(4, side, side): where the skin is, over REACH, and 1 where the texel shows any. coefficients: (52,)."""
        vertices = self.rest + (coefficients @ self.basis).reshape(-1, 3)
        points = (vertices[self.corners] * self.weights[..., None]).sum(dim=1) / REACH
        flat = points.new_zeros(4, self.side * self.side)
        flat[:3, self.covered] = points.T
        flat[3, self.covered] = 1.0
        return flat.reshape(4, self.side, self.side)

    def forward(self, coefficients: Tensor, latent: Tensor | None = None) -> Tensor:
        """Offsets (V, 3) metres, avatar space. latent: (L,), what is attended to; the coefficients themselves without it."""
        tokens = self.tokens(coefficients if latent is None else latent).reshape(1, TOKENS, WIDTH)
        levels = [functional.silu(self.into(self.position_map(coefficients)[None]))]
        for layer in self.down:
            levels.append(functional.silu(layer(levels[-1])))
        x = levels.pop()
        queries = x.flatten(2).transpose(1, 2)
        queries = queries + self.attention(self.normalised(queries), tokens, tokens, need_weights=False)[0]
        x = queries.transpose(1, 2).reshape(x.shape)
        for layer, skipped in zip(self.up, reversed(levels), strict=True):
            x = functional.silu(layer(torch.cat([functional.interpolate(x, scale_factor=2.0), skipped], dim=1)))
        moved = UNIT * self.out(x)
        return self.deformable * functional.grid_sample(moved, self.places[None, None], align_corners=False)[0, :, 0].T
