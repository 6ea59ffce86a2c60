"""Image metrics of a row of pictures against the truth: PSNR, SSIM, AKD (average keypoint distance) and JOD (FovVideoVDP).

Pictures are (H, W, 3) uint8 sRGB, truth and picture of one size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from models.errors import MissingPartError
from models.tracking.landmarks import FaceMesh
from models.types import Array

Pixels = NDArray[np.uint8]

MOST_PSNR = 100.0
"""Decibels for equal pictures, so that a mean stays finite."""
DISPLAY = "standard_4k"
"""The display that FovVideoVDP simulates: 30 inches, 3840x2160, seen from 0.75 m."""


@dataclass(frozen=True)
class ImageScores:
    """Means over the pictures.

    psnr: decibels, higher is better. ssim: up to 1, higher is better. akd: pixels between the 478 landmarks in truth and
    picture, lower is better; NaN when no face was found in any. jod: just-objectionable differences of the whole row as a
    video, 10 is equal; None when not measured. faceless: pictures in which no face was found though the truth shows one.
    """

    psnr: float
    ssim: float
    akd: float
    jod: float | None
    faceless: int


def measure(truth: Sequence[Pixels], pictures: Sequence[Pixels], faces: Sequence[Array | None], fps: float | None) -> ImageScores:
    """All scores of a row. faces: `landmarks` of the truth. fps: pictures a second for JOD, which is left out when None."""
    distances, faceless = keypoint_distances(faces, landmarks(pictures))
    return ImageScores(
        psnr=float(np.mean([psnr(t, p) for t, p in zip(truth, pictures, strict=True)])),
        ssim=float(np.mean([ssim(t, p) for t, p in zip(truth, pictures, strict=True)])),
        akd=float(np.mean(distances)) if distances else float("nan"),
        jod=None if fps is None else jod(truth, pictures, fps),
        faceless=faceless,
    )


def psnr(truth: Pixels, picture: Pixels) -> float:
    """Peak signal to noise ratio over all pixels and channels, decibels, at most `MOST_PSNR`."""
    error = float(np.mean((truth.astype(np.float64) - picture) ** 2)) / 255**2
    return min(-10 * np.log10(error), MOST_PSNR) if error > 0 else MOST_PSNR


def ssim(truth: Pixels, picture: Pixels) -> float:
    """Structural similarity (Wang et al. 2004, Gaussian window of sigma 1.5), mean over the channels."""
    a, b = truth.astype(np.float32) / 255, picture.astype(np.float32) / 255
    return float(
        structural_similarity(a, b, channel_axis=2, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    )


def landmarks(pictures: Sequence[Pixels]) -> list[Array | None]:
    """The 478 landmarks (478, 2) in pixels of the face in each picture by itself, None where none is found."""
    with FaceMesh(static=True) as mesh:
        return [found[0][:, :2] if (found := mesh(picture)) else None for picture in pictures]


def keypoint_distances(truth: Sequence[Array | None], found: Sequence[Array | None]) -> tuple[list[float], int]:
    """Mean distance in pixels for each picture where both have a face, and how often only the truth has one."""
    pairs = [(t, f) for t, f in zip(truth, found, strict=True) if t is not None]
    distances = [float(np.linalg.norm(t - f, axis=1).mean()) for t, f in pairs if f is not None]
    return distances, len(pairs) - len(distances)


def jod(truth: Sequence[Pixels], pictures: Sequence[Pixels], fps: float) -> float:
    """FovVideoVDP (Mantiuk et al. 2021) of the row as a video. Raises `MissingPartError` when pyfvvdp is not installed."""
    metric = fvvdp()(display_name=DISPLAY, heatmap=None, quiet=True)
    value, _ = metric.predict(np.stack(pictures), np.stack(truth), dim_order="FHWC", frames_per_second=fps)
    return float(value)


def fvvdp() -> Any:
    """pyfvvdp's metric. Raises `MissingPartError` when it is not installed."""
    try:
        from pyfvvdp import fvvdp as metric
    except ImportError:
        raise MissingPartError(
            "JOD is measured with pyfvvdp, which is not installed; `pip install pyfvvdp` brings it (for evaluation only)"
        ) from None
    return metric
