"""The CPU rasterizer with gradients, on plain arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.splat import blend_backward, workers
from models.splat.cpu import draw_features
from models.splat.project import camera_vector
from models.splat.project_backward import project_backward
from models.splat.workspace import Lease, as_floats
from models.types import Array, Camera, Gaussians


class Drawing:
    """One picture, which can be gone back through. All arrays are float32.

    out: (H, W, F) features. alpha: (H, W). depth: (H, W) metres, the weighted mean of z, 0 where alpha is 0.
    """

    def __init__(self, inputs: Sequence[Array], camera: Camera, background: Array) -> None:
        """Draw any number of features a Gaussian, as base.py defines for colours.

        inputs: means (N, 3) metres, world; rotations (N, 4) wxyz, normalised inside; scales (N, 3) metres; opacities (N,) in
        [0, 1]; features (N, F), F >= 1. background: (F,).
        """
        self._inputs = [as_floats(array) for array in inputs]
        means, rotations, scales, opacities, features = self._inputs
        # The projection wants colours only to see that they are finite; any broken feature shows in the sum.
        colors = np.repeat(features.sum(axis=1, keepdims=True), 3, axis=1)
        threads, self._lease = workers.available(), Lease()
        self._camera, self._background = camera, as_floats(background)
        self._lease.space.prepare(Gaussians(means, rotations, scales, opacities, colors), camera, threads)
        self._drawn = draw_features(self._lease.space, features, self._background, camera, threads)
        self.out, self.alpha, self.depth = self._drawn.out, self._drawn.alpha, self._drawn.depth

    def backward(self, out: Array, alpha: Array, depth: Array) -> tuple[Array, ...]:
        """Gradients by the five inputs from those by `out`, `alpha` and `depth`; zeros for Gaussians that were not drawn."""
        space, drawn, threads = self._lease.space, self._drawn, workers.available()
        features = self._inputs[4]
        space.number_pairs()
        pair_grads = np.empty((int(space.offsets[-1]), blend_backward.MOMENTS + 1 + features.shape[1]), np.float32)
        bins, buffers = space.bins, space.buffers(threads, blend_backward.buffer_size(features.shape[1]))
        picture, above = (drawn.z_sum, drawn.final_t, drawn.last), (as_floats(out), as_floats(alpha), as_floats(depth))
        space.counter[0] = 0
        workers.run(
            lambda worker: blend_backward.blend_backward(
                space.counter, bins, features, self._background, picture, above, buffers[worker], pair_grads
            ),
            threads,
        )
        grads, view = tuple(np.empty_like(array) for array in self._inputs), camera_vector(self._camera)
        space.counter[0] = 0
        workers.run(
            lambda _: project_backward(
                space.counter, pair_grads, space.slots, space.keys, space.boxes, tuple(self._inputs[:4]), view, grads
            ),
            threads,
        )
        return grads
