"""One head model, one real face, and one enrollment of it, shared by all tests of this folder."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from enrollment.instant.pipeline import Enrollment, enroll
from enrollment.portrait.portrait import Portrait
from models.heads.anny import AnnyHead
from models.heads.base import HeadModel


@pytest.fixture(scope="session")
def model() -> HeadModel:
    return AnnyHead()


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """A portrait photo, (512, 512, 3) uint8 sRGB (NASA, public domain)."""
    return np.asarray(skimage.data.astronaut(), np.uint8)


@pytest.fixture(scope="session")
def stages() -> list[tuple[str, float]]:
    """What the one enrollment told of its progress; filled by `enrolled`."""
    return []


@pytest.fixture(scope="session")
def enrolled(astronaut: NDArray[np.uint8], stages: list[tuple[str, float]]) -> Enrollment:
    return enroll([astronaut], consent="public domain", progress=lambda stage, part: stages.append((stage, part)))


@pytest.fixture(scope="session")
def portrait(enrolled: Enrollment) -> Portrait:
    """The astronaut, checked, cropped and matted."""
    return enrolled.portraits[0]
