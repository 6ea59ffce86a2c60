"""Pieces that hang in the air."""

from __future__ import annotations

import numpy as np

from enrollment.instant.floating import floating


def test_a_small_piece_apart_from_the_rest_is_found() -> None:
    rng = np.random.default_rng(0)
    head = rng.normal(size=(4000, 3))
    head = (0.1 * head / np.linalg.norm(head, axis=1, keepdims=True)).astype(np.float32)
    piece = (np.array([0.15, 0, 0]) + rng.uniform(-0.01, 0.01, (50, 3))).astype(np.float32)
    strand = np.stack([np.linspace(0.1, 0.13, 8), *np.zeros((2, 8))], axis=1).astype(np.float32)
    assert floating(np.concatenate([piece, head, strand])).tolist() == [True] * 50 + [False] * 4008


def test_nothing_floats_in_nothing() -> None:
    assert floating(np.zeros((0, 3), np.float32)).shape == (0,)
