"""What captures of a real person suffer from, injected: colours that change from picture to picture, pictures that are bent a
little, normals that are estimates, poses and expressions that are tracked and not known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from enrollment.reconstruction.capture import Frame
from models.heads.base import rotation_vector
from models.types import Array

LEAST_MATTE = 0.02
"""Under which a pixel's own colour is not looked for."""


@dataclass(frozen=True)
class Spoiling:
    """Standard deviations. gain, shift: of each colour channel. warp: pixels of a picture 256 wide, smooth over a quarter.
    turn: degrees and move: metres of the head (three times as much along the line of sight).
    coefficient: of those in use, and a quarter of it of the others. normal: degrees, smooth, and half of it pixel by pixel."""

    gain: float = 0.06
    shift: float = 0.02
    warp: float = 1.0
    turn: float = 0.6
    move: float = 0.001
    coefficient: float = 0.04
    normal: float = 8.0


def spoiled(frame: Frame, how: Spoiling, rng: np.random.Generator, *, photo: bool = False) -> Frame:
    """The frame as a capture would have it. photo: pixels are the person's own, only pose and expression are tracked."""
    out = frame if photo else _warped(_recolored(frame, how, rng), how, rng)
    if out.normals is not None:
        out = replace(out, normals=_estimated(out.normals, how, rng))
    return _tracked(out, how, rng)


def _recolored(frame: Frame, how: Spoiling, rng: np.random.Generator) -> Frame:
    image = frame.image * (1 + rng.normal(0, how.gain, 3)) + 255 * rng.normal(0, how.shift, 3)
    return replace(frame, image=image.round().clip(0, 255).astype(np.uint8))


def _warped(frame: Frame, how: Spoiling, rng: np.random.Generator) -> Frame:
    height, width = frame.matte.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x += _smooth(rng, height, width) * how.warp * width / 256
    y += _smooth(rng, height, width) * how.warp * width / 256

    def moved(picture: np.ndarray) -> np.ndarray:  # bent, not blurred, as a smaller kernel would
        return np.asarray(cv2.remap(picture.astype(np.float32), x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE))

    normals = None
    if frame.normals is not None:
        normals = moved(frame.normals)
        length = np.linalg.norm(normals, axis=2, keepdims=True)
        normals = np.divide(normals, length, out=np.zeros_like(normals), where=length > 0.5)
    matte = moved(frame.matte).clip(0, 1)
    # times its matte, or the nothing around the head would be mixed into its outline and thin it
    wide = matte[..., None]
    shown = moved(frame.image * frame.matte[..., None]) / np.maximum(wide, LEAST_MATTE)
    image = np.where(wide > LEAST_MATTE, shown, moved(frame.image))
    return replace(frame, image=image.round().clip(0, 255).astype(np.uint8), matte=matte, normals=normals)


def _smooth(rng: np.random.Generator, height: int, width: int) -> Array:
    """(height, width) noise of variance 1 that changes over a quarter of the picture."""
    coarse = cv2.resize(rng.normal(size=(5, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(coarse / max(float(coarse.std()), 1e-6), np.float32)


def _estimated(normals: Array, how: Spoiling, rng: np.random.Generator) -> Array:
    height, width = normals.shape[:2]
    smooth = np.stack([_smooth(rng, height, width) for _ in range(3)], axis=2)
    lean = np.deg2rad(how.normal) / np.sqrt(2) * (smooth + 0.5 * rng.normal(size=normals.shape))  # two of three axes turn it
    leaning = normals + np.cross(lean, normals)
    length = np.linalg.norm(leaning, axis=2, keepdims=True)
    return np.divide(leaning, length, out=np.zeros_like(leaning), where=length > 0.5).astype(np.float32)


def _tracked(frame: Frame, how: Spoiling, rng: np.random.Generator) -> Frame:
    sight = frame.pose.head[:3, 3] - frame.camera.position
    sight /= np.linalg.norm(sight)
    step = rng.normal(0, how.move, 3)
    step += 2 * sight * (step @ sight)
    turn = rotation_vector(rng.normal(0, np.deg2rad(how.turn) / np.sqrt(3), 3))
    pose = replace(frame.pose, head=_nudged(frame.pose.head, turn, step), body=_nudged(frame.pose.body, turn, step))
    c = frame.coefficients
    noise = rng.normal(0, how.coefficient, c.shape) * np.where(c > 0, 1.0, 0.25)
    return replace(frame, pose=pose, coefficients=(c + noise).clip(0, 1).astype(np.float32))


def _nudged(m: np.ndarray, turn: np.ndarray, step: np.ndarray) -> np.ndarray:
    out = m.copy()
    out[:3, :3] = turn @ m[:3, :3]
    out[:3, 3] += step
    return out
