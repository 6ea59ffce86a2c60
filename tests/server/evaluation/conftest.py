"""Held-out people for tests of what measures a prior, made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from models.diffusion.batch import Faces
    from server.evaluation.prior import PriorBenchmark


@pytest.fixture(scope="package")
def held_out_faces() -> Faces:
    """Of five people."""
    from models.heads.registry import by_name
    from server.evaluation import prior as evaluation

    return evaluation._faces(by_name("anny"), evaluation.FIRST_FACE, 5, lambda _: None)


@pytest.fixture
def few_faces(held_out_faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark has these."""
    from server.evaluation import prior as evaluation

    monkeypatch.setattr(evaluation, "_faces", lambda *_: held_out_faces)


@pytest.fixture(scope="package")
def benchmark_of_one(held_out_faces: Faces) -> PriorBenchmark:
    """One held-out person, hardly fitted, at the size of `tests.models.diffusion.tiny.config`."""
    from enrollment.instant import own_view
    from server.evaluation import prior as evaluation
    from tests.models.diffusion.tiny import config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_view, "STEPS", 2)
        patch.setattr(evaluation, "_faces", lambda *_: held_out_faces)
        return evaluation.PriorBenchmark.generate(1, config().size)
