"""Damped Gauss-Newton for least squares with bounds: the loop, the step, and the small dense kernels of the live solver.

Every fit of a head to landmarks or pictures uses `minimise`: the live solver (models/tracking/solver.py), the dense alignment
of recorded clips (models/tracking/dense_alignment.py), the fit of a photo and that of a capture's frames (enrollment).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from models.jit import kernel
from models.types import Array64

FEW_SWEEPS, MANY_SWEEPS = 60, 2000
"""Most sweeps of the coordinate descent: for a live frame, and where accuracy matters more than time."""
CONVERGED = 1e-5
"""Change of the bounded unknowns in a sweep that ends the coordinate descent."""
LOWERED, RAISED = 0.4, 6.0
"""Factors of the damping after a step that was accepted, and after one that was not."""
TOLERANCE = 1e-4
"""Relative decrease of the energy that ends the loop."""
RELATIVE_DAMPING, LEAST_DAMPING = 1e-3, 1e-6
"""What is added to the Hessian's diagonal: a part of it times the damping; and a constant."""

NO_BOUNDS = np.zeros(0)

State = TypeVar("State")


@dataclass(frozen=True)
class Equations:
    """Normal equations at a state. hessian: (U, U), gradient: (U,), both of half the energy. low, high: (B,) bounds of the step
    of the last B unknowns, which hold 0. damped: (U,) what the damping adds to the diagonal besides `RELATIVE_DAMPING`."""

    hessian: Array64
    gradient: Array64
    low: Array64
    high: Array64
    damped: Array64 | float = 0.0

    def step(self, damping: float, sweeps: int) -> Array64:
        """The step (U,) within the bounds; damping 0: the plain Gauss-Newton step."""
        hessian = self.hessian
        if damping > 0:
            hessian = hessian.copy()
            hessian.flat[:: len(hessian) + 1] *= 1.0 + RELATIVE_DAMPING * damping
            hessian.flat[:: len(hessian) + 1] += LEAST_DAMPING + damping * self.damped
        return bounded_step(hessian, self.gradient, self.low, self.high, sweeps)


class Problem(Protocol[State]):
    """A least-squares problem. The state may be anything, such as a pose and coefficients."""

    def equations(self, state: State) -> Equations:
        """The normal equations at `state`."""

    def moved(self, state: State, step: Array64) -> State:
        """`state` after a step (U,); limits of the step's length belong here."""


def minimise(
    problem: Problem[State],
    start: State,
    *,
    steps: int,
    energy: Callable[[State], float] | None = None,
    sweeps: int = MANY_SWEEPS,
) -> State | None:
    """The state after at most `steps` steps; None where a number is not finite.

    energy: with it each step is damped as by Levenberg and Marquardt, and is accepted only if the energy falls; without it
    exactly `steps` plain Gauss-Newton steps are taken (for a bounded time, or where an energy costs as much as a step).
    """
    damping, best = (0.0, 0.0) if energy is None else (1.0, energy(start))
    if not np.isfinite(best):
        return None
    state, equations = start, problem.equations(start)
    for number in range(steps):
        step = equations.step(damping, sweeps)
        if not np.isfinite(step).all():
            return None
        moved = problem.moved(state, step)
        if energy is not None:
            now = energy(moved)
            if not now < best:
                damping *= RAISED
                continue
            decrease, best, damping = best - now, now, damping * LOWERED
            if decrease < TOLERANCE * best:
                return moved
        state = moved
        if number + 1 < steps:
            equations = problem.equations(state)
    return state


@kernel(fastmath=True, error_model="numpy")
def _products(columns, weight, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    weighted = np.empty(columns.shape[1])
    for i in range(columns.shape[0]):
        for r in range(columns.shape[1]):
            weighted[r] = columns[i, r] * weight[r]
        for k in range(i + 1):
            total = 0.0
            for r in range(columns.shape[1]):
                total += weighted[r] * columns[k, r]
            out[i, k] = total
            out[k, i] = total


def weighted_products(columns: Array64, weight: Array64) -> Array64:
    """columns . diag(weight) . columns^T, (C, C), of columns (C, R). In one thread: BLAS would wait for busy cores."""
    out = np.empty((len(columns), len(columns)))
    _products(columns, weight, out)
    return out


@kernel(error_model="numpy")
def _descend(h, g, x, low, high, sweeps):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = len(x)
    slope = g.copy()
    for i in range(n):
        for k in range(n):
            slope[i] += h[i, k] * x[k]
    for _ in range(sweeps):
        moved = 0.0
        for i in range(n):
            new = min(max(x[i] - slope[i] / h[i, i], low[i]), high[i])
            change = new - x[i]
            if change != 0.0:
                x[i] = new
                for k in range(n):
                    slope[k] += change * h[k, i]
                moved = max(moved, abs(change))
        if moved < CONVERGED:
            break
    return x


@kernel(fastmath=True, error_model="numpy")
def _eliminate(m, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = m.shape[0]
    for p in range(first, last):
        for i in range(n):
            if i >= first and i <= p:
                continue
            factor = m[i, p] / m[p, p]
            for k in range(n):
                m[i, k] -= factor * m[p, k]


def eliminate(matrix: Array64, first: int, last: int) -> Array64:
    """The Schur complement of rows and columns first..last of a symmetric, positive definite (C, C), without them.

    Plain elimination in one thread: these matrices are too small for LAPACK's threads.
    """
    m = matrix.copy()
    _eliminate(m, first, last)
    keep = np.r_[0:first, last : len(m)]
    return m[np.ix_(keep, keep)]


def bounded_step(hessian: Array64, gradient: Array64, low: Array64, high: Array64, sweeps: int = FEW_SWEEPS) -> Array64:
    """The step s (U,) that makes gradient.s + s.hessian.s / 2 least with low <= s[-B:] <= high, (B,); the first U - B unknowns
    have no bounds. hessian: (U, U) positive definite, C order.

    The unbounded unknowns are eliminated; what remains is a small quadratic in a box, solved by coordinate descent.
    """
    free = len(gradient) - len(low)
    if len(low) == 0:
        return -_solve(hessian.copy(), gradient.copy())
    size = len(hessian)
    bordered = np.zeros((size + 1, size + 1))
    bordered[:size, :size], bordered[:size, size], bordered[size, :size] = hessian, gradient, gradient
    reduced = eliminate(bordered, 0, free)
    boxed, slope = reduced[:-1, :-1].copy(), reduced[:-1, -1].copy()
    boxed.flat[:: len(boxed) + 1] = np.maximum(boxed.diagonal(), 1e-12)
    last = _descend(boxed, slope, np.clip(np.zeros(len(slope)), low, high), low, high, sweeps)
    if free == 0:
        return np.asarray(last)
    right = gradient[:free] + np.einsum("pk,k->p", hessian[:free, free:], last)
    return np.concatenate([-_solve(hessian[:free, :free].copy(), right), last])


@kernel(error_model="numpy")
def _solve(m, b):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = len(b)
    for p in range(n):
        for i in range(p + 1, n):
            factor = m[i, p] / m[p, p]
            for k in range(p, n):
                m[i, k] -= factor * m[p, k]
            b[i] -= factor * b[p]
    for p in range(n - 1, -1, -1):
        for k in range(p + 1, n):
            b[p] -= m[p, k] * b[k]
        b[p] /= m[p, p]
    return b
