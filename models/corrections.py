"""What an expression changes about an avatar beyond its blendshapes: networks distilled into a few directions.

Enrollment may train networks that correct the avatar under each expression (models/nets/dynamics.py, deformation.py). They are
too slow for a processor's live path, so the file carries a low-rank stand-in (models/nets/bake.py), linear in the 52
coefficients: (coefficients @ mixing) @ directions. There is no constant in it, so the resting face is what the Gaussians and
the head say, in whatever reads only those (exporters, older paths). Beside it are the networks' weights, which a GPU runs. A
person's own blinks (enrollment/instant/blink.py) are such directions of the vertices, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models import arkit
from models.binding import BoundGaussians
from models.jit import kernel
from models.networks import Networks
from models.types import Array

CHANNELS = {"means": 3, "rotations": 4, "log_scales": 3, "logits": 1, "colors": 3}
"""The numbers of a Gaussian that may change, in order: as `BoundGaussians` has them, but the natural logarithm of the scales
and the log-odds of the opacity."""
WIDTH = sum(CHANNELS.values())
MOST_EXPONENT = 4.0
"""A scale and an opacity's odds change by no more than the exponential of this, whatever a file says."""
BLOCK = 64
"""Gaussians whose changes are summed at a time, so that the sums stay in the fastest cache."""


@dataclass(frozen=True)
class Basis:
    """Changes of M things of C numbers, linear in the expression and none at rest.

    directions: (R, M, C) float32. mixing: (52, R) float32: how much of each direction a coefficient brings.
    """

    directions: Array
    mixing: Array

    def __call__(self, coefficients: NDArray[np.floating]) -> Array:
        """The changes (M, C) float32 under 52 ARKit coefficients."""
        weights = np.asarray(coefficients, np.float32) @ self.mixing
        return np.asarray(np.tensordot(weights, self.directions, 1), np.float32)

    def of_coefficients(self) -> Array:
        """The changes (52, M, C) float32 that each coefficient brings alone, as an expression basis has them."""
        return np.tensordot(self.mixing, self.directions, 1).astype(np.float32)

    def rounded(self) -> Basis:
        """With the directions that an avatar file keeps (float16), still as float32."""
        return replace(self, directions=self.directions.astype(np.float16).astype(np.float32))


@dataclass(frozen=True)
class Corrections:
    """active: (A,) int32, ascending: the Gaussians that change. gaussians: their basis, M = A, the 14 numbers of `CHANNELS`
    (means in units of the triangle, rotations added to the unit quaternion). vertices: of the head's vertices, M = V, metres
    in avatar space, before skinning. Either basis may be missing; without `gaussians` there are no active ones.
    loss_db: how much less the avatar looks like the enrollment's pictures than with the networks themselves, decibels PSNR.
    networks: those themselves, of what has a basis, for whoever has a GPU (models/torch_posing.py); all else uses the bases.
    """

    active: NDArray[np.int32]
    gaussians: Basis | None
    vertices: Basis | None
    loss_db: float
    networks: Networks | None = None

    def select(self, which: NDArray[np.generic], count: int) -> Corrections | None:
        """For an avatar that keeps of `count` Gaussians those at a mask (N,) or ascending positions; None when none is left."""
        place = np.full(count, -1, np.int32)
        kept = np.arange(count)[which]
        place[kept] = np.arange(len(kept))
        left = place[self.active] >= 0
        basis = self.gaussians
        if basis is not None:
            basis = replace(basis, directions=np.ascontiguousarray(basis.directions[:, left])) if left.any() else None
        if basis is None and self.vertices is None:
            return None
        networks = None if self.networks is None else self.networks.select(left)
        return replace(self, active=place[self.active[left]], gaussians=basis, networks=networks)


class Corrector:
    """Keeps a copy of bound Gaussians changed as an expression asks, without allocating: `bound` is overwritten by each call."""

    def __init__(self, bound: BoundGaussians, active: NDArray[np.int32], basis: Basis) -> None:
        changing = (bound.means, bound.rotations, bound.scales, bound.opacities, bound.colors)
        self.bound = BoundGaussians(bound.face, *(np.array(a, np.float32) for a in changing))
        self._active, self._mixing = active, basis.mixing
        self._table = np.ascontiguousarray(basis.directions.reshape(len(basis.directions), -1))
        resting = bound.select(active)
        self._rest = (resting.means, resting.rotations, resting.scales, resting.opacities, resting.colors)
        self._expression = np.zeros(arkit.COUNT, np.float32)
        self._weights = np.zeros(len(basis.directions), np.float32)
        self._sums = np.empty(BLOCK * WIDTH, np.float32)

    def __call__(self, coefficients: NDArray[np.floating]) -> BoundGaussians:
        """The Gaussians under 52 ARKit coefficients; those that are not active stay as they are."""
        self._expression[:] = coefficients
        np.dot(self._expression, self._mixing, out=self._weights)
        b = self.bound
        _correct(
            self._active, self._weights, self._table, self._sums, *self._rest,
            b.means, b.rotations, b.scales, b.opacities, b.colors,
        )  # fmt: skip
        return b


@kernel(fastmath=True, inline="always")
def _exponential(x):  # type: ignore[no-untyped-def]  # pragma: no cover
    """exp(x) for |x| <= MOST_EXPONENT, beyond that of the limit; off by at most 1e-5 of it, and several times faster."""
    y = min(max(x, np.float32(-MOST_EXPONENT)), np.float32(MOST_EXPONENT)) * np.float32(1 / 16)
    p = np.float32(1 / 120)
    p = p * y + np.float32(1 / 24)
    p = p * y + np.float32(1 / 6)
    p = p * y + np.float32(1 / 2)
    p = p * y + np.float32(1)
    p = p * y + np.float32(1)
    p *= p
    p *= p
    p *= p
    return p * p


@kernel(fastmath=True)
def _correct(  # type: ignore[no-untyped-def]  # pragma: no cover
    active, weights, table, sums, means, rotations, scales, opacities, colors,
    out_means, out_rotations, out_scales, out_opacities, out_colors,
):  # fmt: skip
    for start in range(0, active.shape[0], BLOCK):
        stop = min(start + BLOCK, active.shape[0])
        size = WIDTH * (stop - start)
        sums[:size] = 0.0
        for r in range(weights.shape[0]):
            weight, row = weights[r], table[r, WIDTH * start : WIDTH * stop]
            for k in range(size):
                sums[k] += weight * row[k]
        for i in range(start, stop):
            n, d = active[i], sums[WIDTH * (i - start) :]
            for c in range(3):
                out_means[n, c] = means[i, c] + d[c]
                out_scales[n, c] = scales[i, c] * _exponential(d[7 + c])
                out_colors[n, c] = min(max(colors[i, c] + d[11 + c], np.float32(0.0)), np.float32(1.0))
            a, b, e, f = rotations[i, 0] + d[3], rotations[i, 1] + d[4], rotations[i, 2] + d[5], rotations[i, 3] + d[6]
            square = a * a + b * b + e * e + f * f
            if square < 1e-6:  # they cancel out, which leaves no rotation: keep that at rest
                a, b, e, f = rotations[i, 0], rotations[i, 1], rotations[i, 2], rotations[i, 3]
                square = a * a + b * b + e * e + f * f
            inverse = 1.0 / np.sqrt(square)
            out_rotations[n, 0], out_rotations[n, 1] = a * inverse, b * inverse
            out_rotations[n, 2], out_rotations[n, 3] = e * inverse, f * inverse
            odds = _exponential(d[10])
            out_opacities[n] = opacities[i] * odds / (1.0 - opacities[i] + opacities[i] * odds)
