"""The metrics, on pictures whose scores are known."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from models.errors import MissingPartError
from server.evaluation import metrics


def noise(seed: int, amplitude: int = 255) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, amplitude + 1, (64, 64, 3)).astype(np.uint8)


def test_psnr() -> None:
    black, grey = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 51, np.uint8)
    assert metrics.psnr(black, grey) == pytest.approx(20 * np.log10(255 / 51))
    assert metrics.psnr(grey, grey) == metrics.MOST_PSNR


def test_ssim() -> None:
    picture = noise(0)
    assert metrics.ssim(picture, picture) == pytest.approx(1.0, abs=1e-6)
    assert metrics.ssim(picture, noise(1)) < 0.1
    assert 0.5 < metrics.ssim(picture // 2, picture // 2 + noise(2, 40)) < 1


def test_keypoint_distances() -> None:
    face = np.random.default_rng(0).uniform(0, 64, (478, 2)).astype(np.float32)
    distances, faceless = metrics.keypoint_distances([face, face, None, face], [face + np.float32([3, 4]), None, face, face])
    assert distances == pytest.approx([5.0, 0.0], abs=1e-4)
    assert faceless == 1, "a truth without a face asks for none"


def test_landmarks_of_a_picture_without_a_face() -> None:
    assert metrics.landmarks([noise(0)]) == [None]


def test_measure_without_any_face() -> None:
    truth = [noise(0), noise(1)]
    scores = metrics.measure(truth, truth, [None, None], fps=None)
    assert (scores.psnr, scores.jod, scores.faceless) == (metrics.MOST_PSNR, None, 0)
    assert np.isnan(scores.akd)


def test_jod_without_pyfvvdp(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "pyfvvdp":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPartError, match="pip install pyfvvdp"):
        metrics.fvvdp()


@pytest.mark.filterwarnings("ignore")
def test_jod() -> None:
    pytest.importorskip("pyfvvdp")
    truth = [noise(i) for i in range(3)]
    assert metrics.jod(truth, truth, 7.5) == pytest.approx(10, abs=0.01)
