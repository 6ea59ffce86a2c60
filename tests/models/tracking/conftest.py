from __future__ import annotations

import numpy as np
import pytest

from models.heads.anny import AnnyHead
from models.heads.base import PersonHead
from models.tracking.synthetic_landmarks import random_person


@pytest.fixture(scope="session")
def person() -> PersonHead:
    return random_person(AnnyHead(), np.random.default_rng(3))
