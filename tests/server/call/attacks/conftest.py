from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.call.attacks.stage import Stage, stage


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all attacks; when they are over it must still obey SIGTERM, with nothing much in its log."""
    with stage(tmp_path_factory.mktemp("stage"), max_viewers=4, factory_options={"grain": 60}) as running:
        yield running
