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
    """The Gaussians merged in cells of `cell` metres. frames: of the resting head's triangles. What is alone in its cell stays
    as it is. The order is that of the cells' first members."""
    world = to_world(bound, frames)
    rotation = _matrices(world.rotations)
    cluster, first = _clusters(world.means, _outwards(rotation, world.scales, frames, bound.face), cell)
    size = np.bincount(cluster)
    several = np.flatnonzero(size > 1)
    members = np.flatnonzero(size[cluster] > 1)
    if not len(several):
        return bound
    number = np.empty(len(size), np.intp)
    number[several] = np.arange(len(several))
    parts = Gaussians(
        world.means[members], world.rotations[members], world.scales[members], world.opacities[members], world.colors[members]
    )
    coarse = _merged(parts, rotation[members], bound.face[members], number[cluster[members]], frames)
    alone = first[size == 1]
    order = np.argsort(np.concatenate([alone, first[several]]))
    return BoundGaussians.concatenate([bound.select(alone), coarse]).select(order)


def _merged(
    world: Gaussians, rotation: NDArray[np.float64], face: NDArray[np.int32], cluster: NDArray[np.intp], frames: Frames
) -> BoundGaussians:
    """One Gaussian for each cluster, in the order of their numbers. rotation: (N, 3, 3) of the Gaussians. face, cluster: (N,)."""
    count = int(cluster.max()) + 1
    mass = world.opacities.astype(np.float64) * _area(world.scales) + 1e-30
    total = np.bincount(cluster, mass, count)
    share = mass / total[cluster]

    def mean(values: NDArray[np.floating]) -> NDArray[np.float64]:
        flat = np.asarray(values, np.float64).reshape(len(values), -1)
        sums = [np.bincount(cluster, share * column, count) for column in flat.T]
        return np.stack(sums, 1).reshape(count, *values.shape[1:]).astype(np.float64)

    centre = mean(world.means)
    apart = world.means - centre[cluster]
    axis_lengths = rotation * world.scales.astype(np.float64)[:, None, :]
    covariance = mean(axis_lengths @ axis_lengths.transpose(0, 2, 1) + apart[:, :, None] * apart[:, None, :])
    variances, axes = np.linalg.eigh(covariance)
    axes[:, :, 0] *= np.sign(np.linalg.det(axes))[:, None]
    scales = np.sqrt(np.maximum(variances, 1e-14))
    cover = total / _area(scales)
    scales *= np.sqrt(1.0 + FLAT_TOP * np.log(np.maximum(cover / OPAQUE, 1.0)))[:, None]
    heaviest = np.lexsort((mass, cluster))[np.cumsum(np.bincount(cluster, minlength=count)) - 1]
    coarse = Gaussians(
        centre.astype(np.float32), _quaternions(axes), scales.astype(np.float32),
        np.minimum(cover, OPAQUE).astype(np.float32), mean(world.colors).astype(np.float32),
    )  # fmt: skip
    return bind(coarse, face[heaviest], frames)


def _area(scales: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of the largest cross section, but for a factor."""
    ordered = np.sort(np.asarray(scales, np.float64), axis=1)
    return ordered[:, 1] * ordered[:, 2]


def _outwards(rotation: NDArray[np.float64], scales: Array, frames: Frames, face: NDArray[np.int32]) -> Array:
    """(N, 3) the shortest axes, on the side of their triangles' normals."""
    axis = np.take_along_axis(rotation, np.argmin(scales, 1)[:, None, None], 2)[:, :, 0]
    normal = _matrices(frames.rotation)[:, :, 1][face]
    return np.asarray(np.where(np.sum(axis * normal, 1, keepdims=True) < 0, -axis, axis))


def _clusters(means: Array, axis: Array, cell: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(N,) each Gaussian's cluster, and (C,) the first member of each; clusters count by their first members."""
    place = np.floor(means / cell).astype(np.int64)
    longest = np.argmax(np.abs(axis), 1)
    side = 2 * longest + (np.take_along_axis(axis, longest[:, None], 1)[:, 0] < 0)
    rows = np.column_stack([place, side])
    order = np.lexsort(rows.T)  # stable: the first member of a cluster comes first
    begins = np.ones(len(rows), bool)
    begins[1:] = np.any(rows[order[1:]] != rows[order[:-1]], axis=1)
    first = order[begins]
    number = np.empty(len(first), np.intp)
    number[np.argsort(first)] = np.arange(len(first))
    cluster = np.empty(len(rows), np.intp)
    cluster[order] = number[np.cumsum(begins) - 1]
    return cluster, np.sort(first)


def _matrices(quaternions: Array) -> NDArray[np.float64]:
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_quat(quaternions[:, [1, 2, 3, 0]]).as_matrix())


def _quaternions(matrices: NDArray[np.float64]) -> Array:
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_matrix(matrices).as_quat()[:, [3, 0, 1, 2]], np.float32)
