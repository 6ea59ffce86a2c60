"""The loop finds the minimum of known problems, within bounds and from afar; the kernels are what linear algebra says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from models.tracking.gauss_newton import (
    NO_BOUNDS,
    Equations,
    bounded_step,
    eliminate,
    minimise,
    weighted_products,
)
from models.tracking.pinhole import POSE
from models.types import Array64

RNG = np.random.default_rng(4)


def test_products_and_elimination_are_what_linear_algebra_says() -> None:
    columns, weight = RNG.normal(size=(9, 40)), RNG.uniform(0.1, 2, 40)
    products = weighted_products(columns, weight)
    np.testing.assert_allclose(products, columns @ np.diag(weight) @ columns.T, rtol=1e-10)
    a, b, c = products[:6, :6], products[:6, 6:], products[6:, 6:]
    np.testing.assert_allclose(eliminate(products, 6, 9), a - b @ np.linalg.inv(c) @ b.T, rtol=1e-8, atol=1e-10)


def test_the_bounded_step_is_the_best_within_its_bounds() -> None:
    size = POSE + 8
    half = RNG.normal(size=(size, size))
    hessian, gradient = half @ half.T + 0.5 * np.eye(size), RNG.normal(size=size)
    free = bounded_step(hessian, gradient, np.full(8, -100.0), np.full(8, 100.0), sweeps=2000)
    np.testing.assert_allclose(free, -np.linalg.solve(hessian, gradient), atol=1e-3)
    low, high = np.full(8, -0.05), np.full(8, 0.02)
    step = bounded_step(hessian, gradient, low, high, sweeps=2000)
    assert (step[POSE:] >= low).all() and (step[POSE:] <= high).all()
    slope = gradient + hessian @ step
    np.testing.assert_allclose(slope[:POSE], 0, atol=1e-6)
    inside = (step[POSE:] > low) & (step[POSE:] < high)
    np.testing.assert_allclose(slope[POSE:][inside], 0, atol=1e-3)
    assert (slope[POSE:][step[POSE:] == low] >= 0).all() and (slope[POSE:][step[POSE:] == high] <= 0).all()


@pytest.mark.parametrize("free", [0, 3])
def test_the_bounded_step_agrees_with_scipy(free: int) -> None:
    rows, right = RNG.normal(size=(30, 9)), RNG.normal(size=30)
    low, high = np.full(9 - free, -0.05), np.full(9 - free, 0.05)
    unbounded = np.full(free, np.inf)
    step = bounded_step(rows.T @ rows, -rows.T @ right, low, high, sweeps=2000)
    truth = lsq_linear(rows, right, (np.append(-unbounded, low), np.append(unbounded, high)), tol=1e-12).x
    np.testing.assert_allclose(step, truth, atol=1e-4)


@dataclass
class Rosenbrock:
    """Residuals 10 (y - x^2) and 1 - x, the second unknown held in [0, `high`]: plain Gauss-Newton overshoots far away."""

    high: float
    taken: int = 0

    def equations(self, state: Array64) -> Equations:
        x, y = state
        rows, residual = np.array([[-20 * x, 10.0], [-1.0, 0.0]]), np.array([10 * (y - x * x), 1 - x])
        return Equations(rows.T @ rows, rows.T @ residual, np.array([-y]), np.array([self.high - y]))

    def moved(self, state: Array64, step: Array64) -> Array64:
        self.taken += 1
        return np.array([state[0] + step[0], np.clip(state[1] + step[1], 0, self.high)])

    def energy(self, state: Array64) -> float:
        x, y = state
        return float(100 * (y - x * x) ** 2 + (1 - x) ** 2)


@pytest.mark.parametrize(("high", "x"), [(9.0, 1.0), (0.25, 0.5)])
def test_the_minimum_is_found_within_the_bounds(high: float, x: float) -> None:
    problem = Rosenbrock(high)
    found = minimise(problem, np.array([-1.2, 0.1]), steps=200, energy=problem.energy)
    assert found is not None
    np.testing.assert_allclose(found, [x, x * x], atol=0.02)


def test_with_an_energy_no_step_makes_it_worse_and_without_one_all_are_taken() -> None:
    class Uphill(Rosenbrock):
        def equations(self, state: Array64) -> Equations:
            return Equations(np.eye(2), -super().equations(state).gradient, NO_BOUNDS, NO_BOUNDS)

    start = np.array([0.5, 0.5])
    damped, plain = Uphill(9.0), Uphill(9.0)
    assert minimise(damped, start, steps=7, energy=damped.energy) is start
    moved = minimise(plain, start, steps=1)
    assert moved is not None and (plain.taken, plain.energy(moved) > plain.energy(start)) == (1, True)


def test_numbers_that_are_not_finite_give_nothing() -> None:
    problem = Rosenbrock(9.0)
    assert minimise(problem, np.array([np.nan, 0.5]), steps=3) is None
    assert minimise(problem, np.array([np.inf, 0.5]), steps=3, energy=lambda state: np.inf) is None
