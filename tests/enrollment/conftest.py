"""A photo as a file, and a clip made of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.models.video import clips


@pytest.fixture(scope="session")
def photo_file(astronaut: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    cv2.imwrite(str(path), astronaut[..., ::-1])
    return path


@pytest.fixture(scope="session")
def clip_file(astronaut: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The face moves through the picture; in the first two pictures it looks sideways."""
    squeezed = np.float32([[0.55, 0, 130], [0, 1, 0]])
    side = cv2.warpAffine(astronaut, squeezed, (512, 512), borderValue=(200, 200, 200))
    moved = [cv2.warpAffine(astronaut, np.float32([[1, 0, 4 * i], [0, 1, 2 * i]]), (512, 512)) for i in range(6)]
    return clips.write(tmp_path_factory.mktemp("clip") / "clip.mp4", [side, side, *moved])
