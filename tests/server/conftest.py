"""An avatar file for what serves one."""

from __future__ import annotations

from pathlib import Path

import pytest

from enrollment.instant.pipeline import Enrollment
from models import avatar_file


@pytest.fixture
def small_avatar(enrolled: Enrollment, tmp_path: Path) -> bytes:
    """An .avatar file of 1,000 Gaussians."""
    small = enrolled.avatar.select(slice(0, 20_000, 20))  # type: ignore[arg-type]
    avatar_file.save(small, tmp_path / "small.avatar")
    return (tmp_path / "small.avatar").read_bytes()
