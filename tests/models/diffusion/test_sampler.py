from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.diffusion.prior import Prior
from models.diffusion.sampler import Paste, sample, softened
from tests.models.diffusion.tiny import batch, config, trained


@pytest.mark.parametrize("guidance", [1.0, 2.5])
@pytest.mark.parametrize("patch", [1, 2])
def test_untrained_the_coarse_view_comes_back_unchanged(guidance: float, patch: int) -> None:
    b = batch()
    for strength in (0.6, 1.0):
        prior = Prior(config(space={"patch": patch})).eval()
        got = sample(prior, b.conditions(), steps=5, strength=strength, guidance=guidance)
        assert torch.equal(got.color, b.coarse_color) and torch.equal(got.normals, b.coarse_normals)


def test_the_seed_decides() -> None:
    prior, b = trained(), batch().conditions()
    first, again, other = (sample(prior, b, steps=3, seed=seed).color for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_view_does_not_depend_on_its_batch() -> None:
    prior, b = trained(), batch().conditions()
    alone = sample(prior, b.take(slice(2, 3)), steps=3)
    assert torch.allclose(sample(prior, b, steps=3).color[2:3], alone.color, atol=1e-4)


def test_one_photo_and_one_crop_serve_all_views() -> None:
    prior, b = trained(), batch().conditions()
    one = replace(b, reference=b.reference[:1], reference_pose=b.reference_pose[:1], driving=b.driving[:1])
    four = replace(one, **{n: getattr(one, n).expand(4, -1, -1, -1) for n in ("reference", "reference_pose", "driving")})
    assert torch.allclose(sample(prior, one, steps=3).color, sample(prior, four, steps=3).color, atol=1e-4)


def test_a_latent_stands_in_for_the_crop() -> None:
    prior, b = trained(), batch().conditions()
    with torch.no_grad():
        latent = prior.expression(b.driving)
    assert torch.equal(sample(prior, b, steps=2).color, sample(prior, b, steps=2, latent=latent).color)
    assert not torch.equal(sample(prior, b, steps=2).color, sample(prior, b, steps=2, latent=-latent).color)


def test_guidance_moves_both_domains_away_from_the_prediction_without_conditions() -> None:
    prior, b = trained(), batch().conditions()
    x = torch.randn(prior.known(b).coarse.shape, generator=torch.Generator().manual_seed(3))
    t = torch.full((4,), 20)
    with torch.no_grad():
        known = prior.known(b)
        told = prior.denoise(x, t, known)
        untold = prior.denoise(x, t, known.dropped(torch.zeros(4, dtype=torch.bool)))
        from models.diffusion.sampler import _guided

        assert torch.allclose(_guided(prior, x, 20, known, 2.5, 1), untold + 2.5 * (told - untold), atol=1e-4)
    assert (told - untold).abs().amax(dim=(0, 2, 3, 4)).min() > 1e-4


@pytest.mark.parametrize("patch", [1, 2])
def test_the_known_region_is_pasted_and_its_border_softened(patch: int) -> None:
    prior, b = trained(config(space={"patch": patch})), batch().conditions()
    mask = torch.zeros(4, 1, 16, 16)
    mask[:, :, 4:12, 4:12] = 1
    color = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(9))
    got = sample(prior, b, steps=3, paste=Paste(color, mask))
    plain = sample(prior, b, steps=3)
    inside = (slice(None), slice(None), slice(6, 10), slice(6, 10))
    assert torch.allclose(got.color[inside], color[inside], atol=1e-5)
    rim, far = got.color[..., 4:6, 4:12] - color[..., 4:6, 4:12], got.color[..., :4, :] - color[..., :4, :]
    assert 0.01 < rim.abs().mean() < far.abs().mean() * 1.5
    assert not torch.equal(got.color[..., :4, :], plain.color[..., :4, :]), "what is pasted at each step is seen by the rest"


def test_softened_masks_lose_their_border_only() -> None:
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 1:7, 1:7] = 1
    soft = softened(mask, 2, 0.1)
    assert soft[0, 0, 3:5, 3:5].eq(1).all() and soft[0, 0, 1, 1].item() == pytest.approx(0.1) and soft[0, 0, 0].eq(0).all()
    assert torch.equal(softened(mask, 0, 0.1), mask)


def test_timesteps_start_at_the_strength_and_fall() -> None:
    schedule = Prior(config()).schedule
    assert schedule.timesteps(5, 1.0) == [49, 39, 29, 20, 10]
    assert schedule.timesteps(3, 0.6) == [29, 19, 10] and schedule.timesteps(1, 0.6) == [29]
    assert schedule.alphas_cumprod[-1] == 0, "the end is pure noise"


def test_ddim_walks_along_the_noise_it_finds() -> None:
    schedule = Prior(config()).schedule
    clean, noise = torch.randn(2, 3, generator=torch.Generator().manual_seed(0)), torch.ones(2, 3)
    noisy = schedule.add_noise(clean, noise, torch.tensor([40, 40]))
    expected = schedule.add_noise(clean, noise, torch.tensor([10, 10]))
    assert torch.allclose(schedule.step(noisy, clean, 40, 10), expected, atol=1e-5)
    assert torch.equal(schedule.step(noisy, clean, 40, None), clean)
