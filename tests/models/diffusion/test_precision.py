from __future__ import annotations

import pytest
import torch

from models.diffusion.precision import autocast
from models.diffusion.sampler import sample
from tests.models.diffusion.tiny import batch, config, trained


def test_bfloat16_is_used_where_it_is_asked_for_and_the_pictures_stay_alike() -> None:
    b = batch().conditions()
    exact, rough = (sample(trained(config(training={"precision": p})), b, steps=2) for p in ("float32", "bfloat16"))
    assert not torch.equal(exact.color, rough.color) and rough.color.dtype == torch.float32
    assert (exact.color - rough.color).abs().mean() < 0.02


@pytest.mark.parametrize("has", [True, False])
def test_auto_asks_the_machine(monkeypatch: pytest.MonkeyPatch, has: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has, raising=False)
    with autocast("auto", "cpu"):
        assert torch.is_autocast_enabled("cpu") is has
