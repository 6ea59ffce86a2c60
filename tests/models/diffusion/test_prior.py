from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from models.diffusion.config import PriorConfigError, load_config
from models.diffusion.prior import Prior
from models.diffusion.reference import ReferenceNetwork
from models.diffusion.sampler import sample
from tests.models.diffusion.tiny import batch, config, trained


def predicted(prior: Prior, b: Any, t: int = 20) -> torch.Tensor:
    """The clean residual the prior sees in the same noise."""
    with torch.no_grad():
        known = prior.known(b)
        noise = torch.randn(1, 1, *known.coarse.shape[2:], generator=torch.Generator().manual_seed(5))
        return prior.denoise(noise.expand_as(known.coarse), torch.full((len(b),), t), known)


def test_the_shipped_size_has_as_many_weights_as_the_file_may_hold() -> None:
    count = sum(p.numel() for p in Prior(load_config("small")).parameters())
    assert 8e6 < count < 14e6


@pytest.mark.parametrize("patch", [1, 2])
def test_a_view_is_the_same_whichever_patch_size(patch: int) -> None:
    prior = Prior(config(space={"patch": patch}))
    b = batch()
    known = prior.known(b)
    residual = prior.residual(known, b.target_color, b.target_normals)
    color, normals = prior.apply_residual(b, known, residual)
    assert torch.allclose(color, b.target_color, atol=1e-5) and torch.allclose(normals, b.target_normals, atol=1e-5)


@pytest.mark.parametrize("name", ["warp", "visibility", "pose", "reference", "reference_pose", "driving", "coarse_alpha"])
def test_every_condition_matters(name: str) -> None:
    prior, b = trained(), batch()
    changed = replace(b, **{name: 1 - getattr(b, name)})
    assert (predicted(prior, b) - predicted(prior, changed)).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("switch", "ignored"), [("warp", "warp"), ("warp", "visibility"), ("reference", "reference"), ("expression", "driving")]
)
def test_a_mechanism_that_is_off_does_not_look(switch: str, ignored: str) -> None:
    prior, b = trained(config(mechanisms={switch: False})), batch()
    changed = replace(b, **{ignored: 1 - getattr(b, ignored)})
    assert torch.equal(predicted(prior, b), predicted(prior, changed))


def test_domains_see_each_other_only_through_the_attention() -> None:
    b = batch()
    for attention in (True, False):
        prior = trained(config(mechanisms={"domain_attention": attention}))
        with torch.no_grad():
            known = prior.known(b)
            x = torch.randn(known.coarse.shape, generator=torch.Generator().manual_seed(1))
            y = torch.cat([x[:, :1], -x[:, 1:]], dim=1)
            t = torch.full((len(b),), 20)
            color_x, color_y = (prior.denoise(z, t, known)[:, 0] for z in (x, y))
        assert torch.equal(color_x, color_y) is not attention


def test_the_class_label_tells_the_domains_apart() -> None:
    out = predicted(trained(), batch())
    assert (out[:, 0] - out[:, 1]).abs().max() > 1e-3


def test_without_joint_normals_only_colour_is_denoised_and_normals_stay_coarse() -> None:
    prior, b = trained(config(mechanisms={"joint_normals": False})), batch()
    assert predicted(prior, b).shape[1] == 1
    got = sample(prior, b.conditions(), steps=2)
    assert torch.equal(got.normals, b.coarse_normals) and not torch.equal(got.color, b.coarse_color)


def test_rows_of_a_batch_do_not_mix() -> None:
    prior, b = trained(), batch()
    assert torch.allclose(predicted(prior, b)[1:2], predicted(prior, b.take(slice(1, 2))), atol=1e-5)


def test_one_photo_serves_all_views() -> None:
    prior, b = trained(), batch()
    same = replace(b, reference=b.reference[:1].expand(4, -1, -1, -1), reference_pose=b.reference_pose[:1].expand(4, -1, -1, -1))
    once = replace(b, reference=b.reference[:1], reference_pose=b.reference_pose[:1])
    assert torch.allclose(predicted(prior, same), predicted(prior, once), atol=1e-5)
    for attention in (False,):
        apart = trained(config(mechanisms={"domain_attention": attention}))
        assert torch.allclose(predicted(apart, same), predicted(apart, once), atol=1e-5)


def test_temporal_modules_start_as_nothing_and_then_join_the_frames() -> None:
    plain, b = trained(), batch()
    torch.manual_seed(0)
    temporal = Prior(config(mechanisms={"temporal": True})).eval()
    temporal.load_state_dict(plain.state_dict(), strict=False)
    known = plain.known(b)
    x, t = torch.randn(known.coarse.shape), torch.full((4,), 20)
    with torch.no_grad():
        assert torch.allclose(plain.denoise(x, t, known), temporal.denoise(x, t, known, frames=2), atol=1e-6)
        for module in temporal.denoiser.temporal.values():
            torch.nn.init.normal_(module.outward.weight)
        clips = temporal.denoise(x, t, known, frames=2)
        other = x.clone()
        other[1] = -other[1]
        changed = temporal.denoise(other, t, known, frames=2)
    assert (clips[0] - changed[0]).abs().max() > 1e-4, "the other frame of the same clip is seen"
    assert torch.allclose(clips[2:], changed[2:], atol=1e-5), "other clips are not"


@pytest.mark.parametrize("attention", [True, False])
def test_the_reference_network_has_tokens_for_every_level_that_attends(attention: bool) -> None:
    net = config(network={"channels": [8, 16, 16], "attention": [True, True, False], "reference_attention": attention}).network
    features = ReferenceNetwork(net, 6)(torch.rand(2, 6, 16, 16))
    assert {level: tuple(f.shape) for level, f in features.items()} == {0: (2, 256, 8), 1: (2, 64, 16), 2: (2, 16, 16)}


def test_a_size_that_the_levels_cannot_halve_is_refused() -> None:
    with pytest.raises(PriorConfigError, match="multiple of 2 "):
        Prior(config(size=17))
    with pytest.raises(PriorConfigError, match="autoencoder"):
        Prior(config(space={"kind": "latent"}))
