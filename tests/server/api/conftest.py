from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enrollment.instant.pipeline import Enrollment
from models import avatar_file
from tests.server.api.serving import Api, api


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Api]:
    """The API over an empty state folder."""
    with api(tmp_path) as found:
        yield found


@pytest.fixture
def small_avatar(enrolled: Enrollment, tmp_path: Path) -> bytes:
    """An .avatar file of 1,000 Gaussians."""
    small = enrolled.avatar.select(slice(0, 20_000, 20))  # type: ignore[arg-type]
    avatar_file.save(small, tmp_path / "small.avatar")
    return (tmp_path / "small.avatar").read_bytes()
