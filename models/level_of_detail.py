"""Coarser copies of an avatar, for where it is small on the picture.

Gaussians that lie within one cell of a grid, face the same way and hang on neighbouring triangles become one, with their
common mass, mean, covariance and colour (as the inner nodes of Kerbl et al. 2024, "A Hierarchical 3D Gaussian Representation",
sec. 4.2). A cell that is smaller than a pixel loses next to nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.binding import BoundGaussians, Frames, bind, to_world
from models.types import Array, Gaussians

OPAQUE = 0.995
"""Opacity of a merged Gaussian at the most."""
FLAT_TOP = 0.35
"""How much larger a merged Gaussian becomes where its members cover more than it can: alpha that is cut at `OPAQUE` has a flat
top, which one Gaussian shows by being wider."""


def merged(bound: BoundGaussians, frames: Frames, cell: float) -> BoundGaussians:
    """The Gaussians merged in cells of `cell` metres. frames: of the resting head's triangles. The order is that of the cells'
    first members."""
    world = to_world(bound, frames)
    rotation = _matrices(world.rotations)
    axis = _outwards(rotation, world.scales, frames, bound.face)
    cluster, count = _clusters(world.means, axis, cell)
    area = _area(world.scales)
    mass = world.opacities.astype(np.float64) * area + 1e-30
    total = np.bincount(cluster, mass, count)
    share = mass / total[cluster]

    def mean(values: NDArray[np.floating]) -> NDArray[np.float64]:
        flat = np.asarray(values, np.float64).reshape(len(values), -1)
        sums = [np.bincount(cluster, share * column, count) for column in flat.T]
        return np.stack(sums, 1).reshape(count, *values.shape[1:]).astype(np.float64)

    centre = mean(world.means)
    apart = world.means - centre[cluster]
    spread = np.einsum("nij,nj,nkj->nik", rotation, world.scales.astype(np.float64) ** 2, rotation)
    covariance = mean(spread + apart[:, :, None] * apart[:, None, :])
    variances, axes = np.linalg.eigh(covariance)
    axes[:, :, 0] *= np.sign(np.linalg.det(axes))[:, None]
    scales = np.sqrt(np.maximum(variances, 1e-14))
    cover = total / _area(scales)
    larger = np.sqrt(1.0 + FLAT_TOP * np.log(np.maximum(cover / OPAQUE, 1.0)))
    single = np.bincount(cluster, minlength=count) == 1
    scales *= np.where(single, 1.0, larger)[:, None]
    heaviest = np.lexsort((mass, cluster))[np.cumsum(np.bincount(cluster, minlength=count)) - 1]
    opacity = np.where(single, world.opacities[heaviest], np.minimum(cover, OPAQUE))
    coarse = Gaussians(
        centre.astype(np.float32), _quaternions(axes), scales.astype(np.float32), opacity.astype(np.float32),
        mean(world.colors).astype(np.float32),
    )  # fmt: skip
    return bind(coarse, bound.face[heaviest], frames)


def _area(scales: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of the largest cross section, but for a factor."""
    ordered = np.sort(np.asarray(scales, np.float64), axis=1)
    return ordered[:, 1] * ordered[:, 2]


def _outwards(rotation: NDArray[np.float64], scales: Array, frames: Frames, face: NDArray[np.int32]) -> Array:
    """(N, 3) the shortest axes, on the side of their triangles' normals."""
    axis = np.take_along_axis(rotation, np.argmin(scales, 1)[:, None, None], 2)[:, :, 0]
    normal = _matrices(frames.rotation)[:, :, 1][face]
    return np.asarray(np.where(np.sum(axis * normal, 1, keepdims=True) < 0, -axis, axis))


def _clusters(means: Array, axis: Array, cell: float) -> tuple[NDArray[np.intp], int]:
    place = np.floor(means / cell).astype(np.int64)
    side = 2 * np.argmax(np.abs(axis), 1) + (np.take_along_axis(axis, np.argmax(np.abs(axis), 1)[:, None], 1)[:, 0] < 0)
    rows = np.column_stack([place, side])
    _, first, cluster = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.intp)
    order[np.argsort(first)] = np.arange(len(first))
    return order[cluster.ravel()], len(first)


def _matrices(quaternions: Array) -> NDArray[np.float64]:
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_quat(quaternions[:, [1, 2, 3, 0]]).as_matrix())


def _quaternions(matrices: NDArray[np.float64]) -> Array:
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_matrix(matrices).as_quat()[:, [3, 0, 1, 2]], np.float32)
