"""Parsing: which part of a person each pixel of a picture shows. MediaPipe is imported at the first use.

The network is Google's selfie multiclass segmentation (Apache-2.0), which ships as an asset (`models.tracking.parsing_bake`) and
is run by MediaPipe's Tasks API; nothing is fetched.
"""

from __future__ import annotations

import threading
import warnings
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from models.errors import HeadModelError
from models.tracking.landmarks import quiet
from models.types import Array

PATH = Path(__file__).parent / "assets" / "parsing.safetensors"
CLASSES = ("background", "hair", "body_skin", "face_skin", "clothes", "others")
"""In the order of the network's outputs; others: glasses, jewellery, hats, headphones."""
MODEL_BYTES = 16_371_837
"""Of the network as a TFLite file."""


@dataclass(frozen=True)
class Parsing:
    """shares: (H, W, 6) float32 in [0, 1], the probability of each of `CLASSES` at each pixel; they sum to 1."""

    shares: Array

    def share(self, *names: str) -> Array:
        """(H, W) probability that a pixel shows one of the named classes."""
        return np.asarray(self.shares[..., [CLASSES.index(name) for name in names]].sum(axis=-1), np.float32)

    def most(self, *names: str) -> NDArray[np.bool_]:
        """(H, W) pixels whose most probable class is one of the named ones."""
        return np.isin(self.shares.argmax(axis=-1), [CLASSES.index(name) for name in names])

    @property
    def person(self) -> Array:
        """(H, W) probability that a pixel shows a person and what they wear."""
        return np.asarray(1 - self.shares[..., 0], np.float32)


def parse(image: NDArray[np.uint8]) -> Parsing:
    """Parse a picture (H, W, 3) uint8 sRGB; the network looks at it in 256x256. Raises `HeadModelError` when the asset is
    missing or damaged."""
    import mediapipe as mp

    picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(image))
    segmenter, lock = _segmenter()
    with lock:
        masks = segmenter.segment(picture).confidence_masks
        return Parsing(np.stack([mask.numpy_view() for mask in masks], axis=-1))


@cache
def _segmenter() -> tuple[Any, threading.Lock]:
    """The network, and the lock under which it is asked: one picture at a time."""
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageSegmenterOptions(
        base_options=BaseOptions(model_asset_buffer=network()), output_confidence_masks=True, output_category_mask=False
    )
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # protobuf's, about a class that MediaPipe uses
        return vision.ImageSegmenter.create_from_options(options), threading.Lock()


def network() -> bytes:
    """The network as a TFLite file, its weights expanded from half precision. Raises `HeadModelError` when the asset is missing
    or damaged."""
    try:
        asset = load_file(PATH)
        model = bytearray(zlib.decompressobj().decompress(asset["frame"].tobytes(), MODEL_BYTES))
        weights, first = asset["weights"].astype("<f4"), 0
        for start, count in asset["spans"].tolist():
            model[start : start + 4 * count] = weights[first : first + count].tobytes()
            first += count
    except (OSError, SafetensorError, KeyError, ValueError, zlib.error) as error:
        raise HeadModelError(f"the parsing network was expected at {PATH} ({error}); install Visavis again") from error
    if len(model) != MODEL_BYTES:
        raise HeadModelError(f"the parsing network at {PATH} is damaged; install Visavis again")
    return bytes(model)
