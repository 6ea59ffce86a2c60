"""Closed-form matting and foreground colours against their definitions, and against a composite whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from models.tracking import closed_form


def test_the_laplacian_is_the_definitions() -> None:
    """Levin et al. 2008, eq. 12, pixel pair by pixel pair."""
    image = np.random.default_rng(0).random((6, 7, 3))
    found, pixels = closed_form.matting_laplacian(image, np.ones((6, 7), bool))
    truth = np.zeros((42, 42))
    for row in range(1, 5):
        for column in range(1, 6):
            window = [(r, c) for r in range(row - 1, row + 2) for c in range(column - 1, column + 2)]
            colors = np.array([image[at] for at in window])
            mean, covariance = colors.mean(axis=0), np.cov(colors.T, bias=True)
            inverse = np.linalg.inv(covariance + closed_form.EPSILON / 9 * np.eye(3))
            for i, a in enumerate(window):
                for j, b in enumerate(window):
                    value = (i == j) - (1 + (colors[i] - mean) @ inverse @ (colors[j] - mean)) / 9
                    truth[a[0] * 7 + a[1], b[0] * 7 + b[1]] += value
    assert list(pixels) == list(range(42))
    np.testing.assert_allclose(found.toarray(), truth, atol=1e-9)


@pytest.fixture(scope="module")
def composite() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Strands of brown before a bluish gradient: picture, alpha and foreground."""
    y, x = np.mgrid[:96, :128].astype(np.float32)
    strands = np.clip(1.3 - np.abs(((x + 6 * np.sin(y / 9)) % 16) - 8) / 2.2, 0, 1)
    alpha = np.where(x < 40, 1.0, np.where(x > 88, 0.0, strands)).astype(np.float32)
    front = np.stack([0.35 + 0.05 * np.sin(y / 30), 0.22 + 0 * y, 0.12 + 0 * y], axis=2).astype(np.float32)
    back = np.stack([0.5 + 0 * x, 0.6 + x / 1000, 0.8 - y / 600], axis=2).astype(np.float32)
    return front * alpha[..., None] + back * (1 - alpha[..., None]), alpha, front


def test_strands_are_found_where_nothing_is_known(
    composite: tuple[np.ndarray, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closed_form, "TRUST", 1e-5)  # the guess is of no use here
    monkeypatch.setattr(closed_form, "ACCURACY", 1e-5)
    image, alpha, _ = composite
    unknown = np.zeros(alpha.shape, bool)
    unknown[:, 34:94] = True
    guess = np.where(unknown, ndimage.gaussian_filter(alpha, 8), alpha).astype(np.float32)
    found = closed_form.closed_form_alpha(image, guess, unknown)
    assert np.abs(found - alpha).mean() < 0.6 * np.abs(guess - alpha).mean()
    assert np.array_equal(found[~unknown], guess[~unknown]) and found.min() >= 0 and found.max() <= 1
    assert np.array_equal(closed_form.closed_form_alpha(image, guess, np.zeros_like(unknown)), guess)


def test_the_foreground_has_no_background_in_it(composite: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    image, alpha, front = composite
    found = closed_form.foreground_colors(image, alpha)
    soft = (alpha > 0.1) & (alpha < 0.9)
    before, after = (np.abs(picture - front)[soft].mean() for picture in (image, found))
    assert after < 0.15 * before
    assert np.abs(found - front)[alpha == 0].mean() < 0.1, "beyond it, the nearest"
    assert np.isfinite(closed_form.foreground_colors(image, np.zeros_like(alpha))).all()
