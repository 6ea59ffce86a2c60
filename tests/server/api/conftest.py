from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.api.serving import Api, api


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Api]:
    """The API over an empty state folder."""
    with api(tmp_path) as found:
        yield found
