"""Networks baked into a low-rank linear basis, which a CPU, a browser and a file can carry.

What a network changes about M things of C numbers each under an expression becomes  (expression @ mixing) @ directions,  with
some directions from the changes' principal components over sampled expressions, and weights linear in the expression.
Neither has a constant: at rest nothing changes, which the networks are asked for too (see `models.corrections`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.corrections import Basis
from models.types import Array

RANK = 16
ENOUGH = 0.995
"""Part of the variance with which no further directions are taken."""
RIDGE = 1e-3
"""Of the regression of weights on expressions, relative to the expressions' mean square."""
SEED = 5
MADE_UP = 0.2
"""Say of the made-up expressions together, next to the person's own together."""
ACTIVE = 0.15
"""Part of the coefficients that a made-up expression uses."""


@dataclass(frozen=True)
class Baked:
    """basis: what a file carries. explained: part of the sampled changes' squares that the directions can express, [0, 1];
    kept: the part that is left when the weights are linear in the expression."""

    basis: Basis
    explained: float
    kept: float


def bake(
    changes: Callable[[Tensor], Tensor], expressions: Array, *, rank: int = RANK, scale: Array | None = None, made_up: int = 64
) -> Baked:
    """Distil `changes`, expression (E,) -> (M, C), over `expressions` (M', E) and as many `made_up` ones besides.

    scale: (C,) how much a unit of each number matters; changes are compared times this. The made-up expressions stay within
    what `expressions` reach: a network says nothing sensible about a coefficient that it never saw, so that gets no weight.
    Deterministic.
    """
    others = sampled(made_up, expressions.shape[1]) * expressions.max(axis=0, initial=0)
    samples = np.concatenate([expressions, others]).astype(np.float32)
    table = np.empty((0, 0, 0), np.float32)
    with torch.no_grad():
        for i, row in enumerate(samples):
            change = changes(torch.from_numpy(row)).numpy()
            if i == 0:  # it may take hundreds of megabytes, so not twice
                table = np.empty((len(samples), *change.shape), np.float32)
            table[i] = change
    count, m, c = table.shape
    weight = np.ones(c, np.float32) if scale is None else np.asarray(scale, np.float32)
    say = np.ones(count)
    say[len(expressions) :] = MADE_UP * len(expressions) / max(made_up, 1)
    root = np.sqrt(say)[:, None].astype(np.float32)
    table *= root[..., None]
    table *= weight
    flat = table.reshape(count, m * c)
    # principal components (about no change) from the small Gram matrix: there are far fewer expressions than numbers
    values, vectors = np.linalg.eigh((flat @ flat.T).astype(np.float64))
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    total = max(float(values.sum()), 1e-20)
    enough = 1 + int(np.searchsorted(np.cumsum(values), ENOUGH * total))
    strength = np.sqrt(values[: min(rank, enough, count)])
    strength = strength[strength > 1e-6 * max(float(strength[0]), 1e-12)]
    left = vectors[:, : len(strength)]
    directions, amounts = (left / strength).T.astype(np.float32) @ flat, left * strength
    x = root * samples.astype(np.float64)
    gram = x.T @ x
    mixing = np.linalg.solve(gram + max(RIDGE * np.trace(gram) / len(gram), 1e-12) * np.eye(len(gram)), x.T @ amounts)
    left_over = float(((amounts - x @ mixing) ** 2).sum()) + total - float((amounts**2).sum())
    # a weight of 1 is the most that an expression asks for, so that directions are changes as large as they get
    most = np.maximum(np.abs(samples @ mixing).max(axis=0, initial=0), 1e-9)
    shaped = (directions * most[:, None].astype(np.float32)).reshape(-1, m, c) / weight
    basis = Basis(shaped.astype(np.float32), (mixing / most).astype(np.float32))
    return Baked(basis, float((amounts**2).sum() / total), 1.0 - left_over / total)


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
