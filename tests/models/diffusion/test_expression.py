from __future__ import annotations

import pytest
import torch

from models.diffusion import expression, points
from models.diffusion.config import load_config
from models.diffusion.expression import ExpressionEncoder


def test_latents_have_the_stated_size_and_spread() -> None:
    latents = ExpressionEncoder(load_config("small").expression)(torch.rand(3, 3, 128, 128))
    assert latents.shape == (3, 128)
    assert torch.allclose(latents.mean(dim=1), torch.zeros(3), atol=1e-4)
    assert torch.allclose(latents.std(dim=1), torch.ones(3), atol=0.02)


def test_places_are_where_the_maps_point() -> None:
    """A sharp peak in each quarter of a map is read as its place in that part, finer than a pixel between two of them."""
    maps = torch.full((1, 2, 16, 16), -50.0)
    maps[0, 0, 1, 2] = maps[0, 0, 3, 15] = maps[0, 0, 8, 0] = maps[0, 0, 15, 8] = 50
    maps[0, 1, 4, 4] = maps[0, 1, 4, 5] = 50
    places = expression._places(maps)
    assert places.shape == (1, 4, 2, 2)
    wanted = [(-0.375, -0.625), (0.875, -0.125), (-0.875, -0.875), (-0.875, 0.875)]
    assert torch.allclose(places[0, :, 0], torch.tensor(wanted), atol=1e-5)
    assert torch.allclose(places[0, 0, 1], torch.tensor([0.25, 0.125]), atol=1e-5)
    assert places[0, 1, 1].abs().max() < 1e-5, "nothing in sight: the middle"


def test_the_latent_is_read_from_the_places(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    encoder, crops = ExpressionEncoder(load_config("small").expression).eval(), torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        latents, places = encoder.look(crops)
        assert torch.equal(latents, encoder(crops)) and places.shape == (2, 4, points.COUNT, 2) and places.abs().max() <= 1
        monkeypatch.setattr(expression, "_places", lambda maps: places + 0.5)
        assert (encoder(crops) - latents).abs().max() > 1e-3
