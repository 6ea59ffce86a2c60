"""Networks baked into a low-rank linear basis, which a CPU, a browser and a file can carry (design.md, Live path).

What a network adds to N Gaussians of C numbers each under an expression becomes  mean + weights(expression) @ directions,  with
16 to 32 directions from the residuals' principal components over sampled expressions, and weights linear in the expression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.types import Array

RANK = 24
RIDGE = 1e-3
"""Of the regression of weights on expressions, relative to the expressions' mean square."""
SEED = 5
MADE_UP = 0.2
"""Say of the made-up expressions together, next to the person's own together."""
ACTIVE = 0.15
"""Part of the coefficients that a made-up expression uses."""


@dataclass(frozen=True)
class Baked:
    """mean: (N, C) float32, what is always added. directions: (R, N, C) float32. mixing: (E, R) float32 and bias: (R,) float32:
    the directions' weights are expression @ mixing + bias. explained: part of the sampled residuals' variance that the
    directions can express, [0, 1]; kept: the part that is left when the weights are linear in the expression."""

    mean: Array
    directions: Array
    mixing: Array
    bias: Array
    explained: float
    kept: float

    def __call__(self, expression: Array) -> Array:
        """The residuals (N, C) under an expression (E,)."""
        weights = expression @ self.mixing + self.bias
        return np.asarray(self.mean + np.tensordot(weights, self.directions, 1), np.float32)


def bake(
    residuals: Callable[[Tensor], Tensor], expressions: Array, *, rank: int = RANK, scale: Array | None = None, made_up: int = 64
) -> Baked:
    """Distil `residuals`, expression (E,) -> (N, C), over `expressions` (M, E) and as many `made_up` ones besides.

    scale: (C,) how much a unit of each number matters; residuals are compared times this. Deterministic.
    """
    samples = np.concatenate([expressions, sampled(made_up, expressions.shape[1])]).astype(np.float32)
    with torch.no_grad():
        table = np.stack([residuals(torch.from_numpy(row)).numpy() for row in samples]).astype(np.float32)
    count, n, c = table.shape
    weight = np.ones(c, np.float32) if scale is None else np.asarray(scale, np.float32)
    say = np.ones(count)
    say[len(expressions) :] = MADE_UP * len(expressions) / max(made_up, 1)
    mean, centre = np.average(table, axis=0, weights=say), np.average(samples, axis=0, weights=say)
    root = np.sqrt(say)[:, None]
    flat = root * ((table - mean) * weight).reshape(count, n * c)
    # principal components from the small Gram matrix: there are far fewer expressions than numbers
    values, vectors = np.linalg.eigh(flat @ flat.T)
    order = np.argsort(-values)[: min(rank, count)]
    strength = np.sqrt(np.maximum(values[order], 0))
    used = strength > 1e-6 * max(float(strength[0]), 1e-12)
    left, strength = vectors[:, order][:, used], strength[used]
    directions = (left / strength).T @ flat
    amounts = left * strength
    x = root * (samples - centre)
    gram = x.T @ x
    mixing = np.linalg.solve(gram + RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)), x.T @ amounts)
    total = max(float((flat**2).sum()), 1e-20)
    left_over = float(((amounts - x @ mixing) ** 2).sum()) + total - float((amounts**2).sum())
    shaped = directions.reshape(-1, n, c) / weight
    return Baked(
        mean.astype(np.float32), shaped.astype(np.float32), mixing.astype(np.float32), (-centre @ mixing).astype(np.float32),
        float((amounts**2).sum() / total), 1.0 - left_over / total,
    )  # fmt: skip


def sampled(count: int, size: int) -> Array:
    """Made-up expressions (count, size): a few coefficients each, evenly in [0, 1]."""
    rng = np.random.default_rng(SEED)
    return (rng.uniform(size=(count, size)) * (rng.random((count, size)) < ACTIVE)).astype(np.float32)


def loss_in_decibels(truth: list[Array], network: list[Array], baked: list[Array]) -> float:
    """How much nearer to the truth the network's pictures come than the baked form's, mean PSNR in decibels, at least 0.

    All are pictures (H, W, 3) in [0, 1], one for each expression that was held out.
    """

    def mean_psnr(pictures: list[Array]) -> float:
        errors = [max(float(np.mean((p - t) ** 2)), 1e-10) for p, t in zip(pictures, truth, strict=True)]
        return float(np.mean(-10 * np.log10(errors)))

    return max(0.0, mean_psnr(network) - mean_psnr(baked))
