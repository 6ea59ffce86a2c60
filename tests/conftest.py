"""For all tests: no test asserts a time, so hypothesis has no deadline; and what CI runs, it runs the same way every time."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="module")
def one_torch_thread() -> Iterator[None]:
    """Torch's threads spin, also while the rasterizer's work: networks as small as a test's are quicker on one."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
