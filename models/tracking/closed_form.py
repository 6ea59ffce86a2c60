"""Closed-form matting (Levin, Lischinski and Weiss 2008): where a soft edge lies, from the colours of the picture itself; and the
foreground's colours without the background (blur fusion, Forte 2021).

Both are written here because PyMatting, which has them too, compiles every method it knows when it is imported: most of a minute
on a new machine, and an error where compiled code cannot be kept. The tests compare with the definitions.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import cg

from models.types import Array, Array64

EPSILON = 1e-6
"""Regularisation of the colours' covariance in a window of 3x3 pixels."""
TRUST = 1e-2
"""Weight of the guess in an unknown pixel; it decides where the colours of both sides are alike."""
ACCURACY, MOST_STEPS = 1e-3, 400
"""Of the conjugate gradients: relative residual, and iterations."""
BLURS = (90, 6)
"""Sides of the windows over which foreground and background are averaged, pixels, coarse to fine."""
FAINT = 0.04
"""Alpha under which a pixel says nothing about the foreground's colour; it gets the nearest one's."""


def closed_form_alpha(image: Array, guess: Array, unknown: NDArray[np.bool_]) -> Array:
    """How much of each pixel is foreground, (H, W) float32 in [0, 1].

    image: (H, W, 3) in [0, 1]. guess: (H, W) in [0, 1], kept as it is outside of `unknown` (H, W) bool.
    """
    out = np.array(guess, np.float32)
    if not unknown.any() or min(unknown.shape) < 3:
        return out
    laplacian, pixels = matting_laplacian(image.astype(np.float64), unknown)
    inner = unknown.ravel()[pixels]
    start = guess.ravel()[pixels].astype(np.float64)
    rows = laplacian[inner]
    matrix = (rows[:, inner] + TRUST * sparse.identity(int(inner.sum()))).tocsr()
    right = TRUST * start[inner] - rows[:, ~inner] @ start[~inner]
    diagonal = sparse.diags(1 / matrix.diagonal())
    solved, _ = cg(matrix, right, start[inner], rtol=ACCURACY, maxiter=MOST_STEPS, M=diagonal)
    out.ravel()[pixels[inner]] = np.clip(solved, 0, 1)
    return out


def matting_laplacian(image: Array64, unknown: NDArray[np.bool_]) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
    """The matting Laplacian (Levin et al. 2008, eq. 12) over all windows of 3x3 pixels with an unknown one, (P, P), and the
    pixels that it is about, (P,) positions in the flat picture. Unknown pixels that are in no whole window keep their guess."""
    height, width = unknown.shape
    windows = np.zeros(unknown.shape, bool)
    windows[1:-1, 1:-1] = ndimage.binary_dilation(unknown, np.ones((3, 3)))[1:-1, 1:-1]
    row, column = np.nonzero(windows)
    step = np.arange(-1, 2)
    at = ((row[:, None, None] + step[:, None]) * width + column[:, None, None] + step).reshape(-1, 9)
    color = image.reshape(-1, 3)[at]
    color = color - color.mean(axis=1, keepdims=True)
    covariance = color.transpose(0, 2, 1) @ color / 9 + EPSILON / 9 * np.eye(3)
    affinity = color @ _inverse(covariance) @ color.transpose(0, 2, 1)
    values = np.eye(9) - (1 + affinity) / 9
    pixels = np.unique(at)
    number = np.empty(height * width, np.int32)
    number[pixels] = np.arange(len(pixels))
    local = number[at]
    places = (np.repeat(local, 9, axis=1).ravel(), np.tile(local, (1, 9)).ravel())
    return sparse.coo_matrix((values.ravel(), places), (len(pixels), len(pixels))).tocsr(), pixels


def _inverse(matrices: Array64) -> Array64:
    """Inverses (N, 3, 3) of symmetric matrices (N, 3, 3) by their cofactors: several times as fast as LAPACK one by one."""
    a, b, c = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 0, 2]
    d, e, f = matrices[:, 1, 1], matrices[:, 1, 2], matrices[:, 2, 2]
    rows = (d * f - e * e, c * e - b * f, b * e - c * d, a * f - c * c, b * c - a * e, a * d - b * b)
    determinant = a * rows[0] + b * rows[1] + c * rows[2]
    upper = np.stack(rows, axis=1) / determinant[:, None]
    return np.asarray(upper[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3))


def foreground_colors(image: Array, alpha: Array) -> Array:
    """The colours of the foreground alone, (H, W, 3) float32 in [0, 1]; where there is none, the nearest.

    image: (H, W, 3) in [0, 1]. alpha: (H, W) in [0, 1].
    """
    picture, a = image.astype(np.float32), alpha[..., None].astype(np.float32)
    front, back = picture, picture
    for side in BLURS:
        mean_front = _blur(front * a, side) / (_blur(a, side) + 1e-5)
        mean_back = _blur(back * (1 - a), side) / (_blur(1 - a, side) + 1e-5)
        front = np.clip(mean_front + a * (picture - a * mean_front - (1 - a) * mean_back), 0, 1)
        back = mean_back
    clear = alpha > FAINT
    if not clear.any():
        return picture
    nearest = ndimage.distance_transform_edt(~clear, return_distances=False, return_indices=True)
    return np.asarray(front[nearest[0], nearest[1]], np.float32)


def _blur(values: Array, side: int) -> Array:
    return np.asarray(cv2.blur(values, (side, side)).reshape(*values.shape[:2], -1), np.float32)
