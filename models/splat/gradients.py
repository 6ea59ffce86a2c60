"""The CPU rasterizer with gradients, on plain arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.splat import blend, blend_backward, blend_rgb_backward, workers
from models.splat.cpu import draw_features
from models.splat.project import camera_vector
from models.splat.project_backward import project_backward
from models.splat.workspace import Lease, Workspace, as_floats
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
        pair_grads = space.pair_rows(blend_backward.MOMENTS + 1 + features.shape[1])
        bins, buffers = space.bins, space.buffers(threads, blend_backward.buffer_size(features.shape[1]))
        picture, above = (drawn.z_sum, drawn.final_t, drawn.last), (as_floats(out), as_floats(alpha), as_floats(depth))
        space.counter[0] = 0
        workers.run(
            lambda worker: blend_backward.blend_backward(
                space.counter, bins, features, self._background, picture, above, buffers[worker], pair_grads
            ),
            threads,
        )
        return _to_gaussians(space, pair_grads, self._inputs, self._camera, threads)


class ColorDrawing:
    """As `Drawing`, for colours without depth: the kernels of live pictures, and several times as fast.

    color: (H, W, 3). alpha: (H, W). Both float32.
    """

    def __init__(self, inputs: Sequence[Array], camera: Camera, background: Array) -> None:
        """inputs: as for `Drawing`, with colours (N, 3) as features. background: (3,)."""
        self._inputs, self._camera = [as_floats(array) for array in inputs], camera
        self.color = np.empty((camera.height, camera.width, 3), np.float32)
        self.alpha = np.empty((camera.height, camera.width), np.float32)
        threads, self._lease = workers.available(), Lease()
        space = self._lease.space
        space.prepare(Gaussians(*self._inputs), camera, threads)
        bins, buffers, behind = space.bins, space.buffers(threads, blend.RGB_BUFFER), as_floats(background)
        space.counter[0] = 0
        workers.run(
            lambda worker: blend.blend_rgb(
                space.counter, bins, behind, buffers[worker], blend.NO_BYTES, self.color, self.alpha
            ),
            threads,
        )  # fmt: skip

    def backward(self, color: Array, alpha: Array) -> tuple[Array, ...]:
        """Gradients by the five inputs from those by `color` and `alpha`; zeros for Gaussians that were not drawn."""
        space, threads = self._lease.space, workers.available()
        space.number_pairs()
        pair_grads = space.pair_rows(blend_rgb_backward.USED)
        bins, buffers = space.bins, space.buffers(threads, blend_rgb_backward.BUFFER)
        drawn, above = (self.color, self.alpha), (as_floats(color), as_floats(alpha))
        space.counter[0] = 0
        workers.run(
            lambda worker: blend_rgb_backward.blend_rgb_backward(space.counter, bins, drawn, above, buffers[worker], pair_grads),
            threads,
        )
        return _to_gaussians(space, pair_grads, self._inputs, self._camera, threads)


def _to_gaussians(
    space: Workspace, pair_grads: Array, inputs: Sequence[Array], camera: Camera, threads: int
) -> tuple[Array, ...]:
    """Gradients by the five inputs from those by the (splat, tile) pairs."""
    grads, view = tuple(np.empty_like(array) for array in inputs), camera_vector(camera)
    space.counter[0] = 0
    workers.run(
        lambda _: project_backward(
            space.counter, pair_grads, space.slots, space.keys, space.boxes, tuple(inputs[:4]), view, grads
        ),
        threads,
    )  # fmt: skip
    return grads
