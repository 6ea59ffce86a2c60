from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from enrollment.prior_training.augment import augmented, mirrored, mirrored_points, varied, varied_faces
from enrollment.prior_training.figures import angle_deg, closer_across_views, explained, linear_readout, psnr, triples
from enrollment.prior_training.losses import denoising_loss, expression_loss, importance
from models import arkit
from models.diffusion.batch import Batch, Faces
from models.diffusion.points import COUNT
from models.diffusion.prior import Prior
from tests.models.diffusion.tiny import batch, config, trained

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def loss(prior: Prior, b: Batch, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(0)
    return denoising_loss(prior, torch.nn.Linear(16, 52), b, torch.Generator().manual_seed(seed)).total


def test_both_domains_get_the_same_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    prior, b = trained(), batch()
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(prior.schedule, "add_noise", lambda clean, noise, t: seen.append(noise) or clean)
    loss(prior, b)
    assert torch.equal(seen[0][:, 0], seen[0][:, 1]) and not torch.equal(seen[0][0], seen[0][1])


def test_the_denoising_loss_alone_teaches_the_expression_encoder() -> None:
    prior = trained(config(training={"dropout": 0.0}))
    loss(prior, batch()).backward()
    assert prior.expression.head.weight.grad.any() and prior.reference.conv_in.weight.grad.any()
    off = trained(config(mechanisms={"expression": False}))
    loss(off, batch()).backward()
    assert off.expression.head.weight.grad is None, "the readout only watches"
    taught = trained(config(mechanisms={"expression": True}, training={"readout": 1.0, "dropout": 1.0}))
    loss(taught, batch()).backward()
    assert taught.expression.head.weight.grad.any()


def test_dropout_hides_expression_and_photo() -> None:
    b = batch()
    other = replace(b, driving=1 - b.driving, reference=1 - b.reference)
    hidden, shown = (trained(config(training={"dropout": p})) for p in (1.0, 0.0))

    def denoised(prior: Prior, x: Batch) -> torch.Tensor:
        g = torch.Generator().manual_seed(0)
        return denoising_loss(prior, torch.nn.Linear(16, 52), x, g).color

    assert denoised(hidden, b) == denoised(hidden, other)
    assert denoised(shown, b) != denoised(shown, other)


def test_what_the_photo_does_not_show_counts_most_and_empty_pixels_least() -> None:
    b = batch()
    weight = importance(b, config().training)
    there = torch.maximum(b.target_matte, b.coarse_alpha).bool()
    unseen, seen = there & (b.visibility == 0), there & (b.visibility == 1)
    assert weight[unseen].min() > weight[seen].max() > weight[~there].max() > 0


def test_crops_change_by_the_generator_only() -> None:
    crops = batch().driving
    first, again, other = (augmented(crops, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.min() >= 0 and first.max() <= 1 and first.shape == crops.shape
    assert torch.equal(augmented(crops, torch.Generator(), 0.0), crops)


def test_every_face_has_its_own_light_however_little_it_moves() -> None:
    grey = torch.full((64, 3, 32, 32), 0.5)
    x = augmented(grey, torch.Generator().manual_seed(0), 1e-6).mean(dim=(2, 3))
    assert x.mean(dim=1).std() > 0.05, "brightness"
    assert (x[:, 0] / x[:, 2]).log().std() > 0.05, "tint"
    assert x.mean(dim=0).sub(0.5).abs().max() < 0.05, "none of it on the whole"


def test_points_follow_what_they_lie_on() -> None:
    """A dot in each part, anywhere in it, and the point there: after moving and mirroring, the point is on the dot again."""
    g = torch.Generator().manual_seed(5)
    rows, part = 24, 64
    places = 0.9 * torch.rand(rows, 4, 2, generator=g) - 0.45
    line = (torch.arange(part) + 0.5) * 2 / part - 1
    dots = torch.exp(-((line - places[..., :1, None]) ** 2 + (line[:, None] - places[..., 1:, None]) ** 2) / (2 * 0.06**2))
    crops = dots.reshape(rows, 2, 2, part, part).permute(0, 1, 3, 2, 4).reshape(rows, 1, 1, 1, 2 * part, 2 * part)
    crops = crops.expand(-1, -1, -1, 3, -1, -1)
    points = places[:, None, None, :, None].expand(-1, -1, -1, -1, COUNT, -1)
    out = varied_faces(Faces(crops.contiguous(), points.contiguous(), torch.zeros(rows, 1, 52)), g, 1.0)
    x = out.crops.mean(dim=3).reshape(rows, 2, part, 2, part).permute(0, 1, 3, 2, 4).reshape(rows * 4, part, part)
    light = (x - x.flatten(1).quantile(0.9, dim=1)[:, None, None]).clamp(min=0).square()
    seen = torch.stack([(light.sum(1) * line).sum(1), (light.sum(2) * line).sum(1)], dim=1) / light.sum((1, 2))[:, None]
    told = out.points[:, 0, 0].flatten(0, 1)
    assert (told - told[:, :1]).abs().max() < 1e-5
    assert (told[:, 0] - seen).abs().max() < 0.05
    assert (told[:, 0] - places.flatten(0, 1)).abs().mean() > 0.08, "they did move"


def test_each_part_of_a_face_moves_by_itself_and_by_little() -> None:
    dots = torch.zeros(64, 3, 64, 64)
    dots[..., 14:18, 14:18], dots[..., 14:18, 46:50] = 1, 1  # in the middle of both upper parts
    x = augmented(dots, torch.Generator().manual_seed(0)).mean(dim=1)
    x = (x - x.amin(dim=(1, 2), keepdim=True)).square()
    place = torch.arange(32.0)
    right, left = ((part.sum(2) * place).sum(1) / part.sum((1, 2)) for part in (x[:, :32, :32], x[:, :32, 32:]))
    for rows in (right, left):
        assert 0.5 < rows.std() < 4 and (rows - 15.5).abs().max() < 8
    assert (right - left).abs().median() > 0.5, "not as one picture"


def test_a_varied_pair_is_still_a_pair() -> None:
    """Normals of a mirrored picture point the mirrored way; what was white or black still is; what agreed still agrees."""
    b = batch(64)
    agreeing = replace(b, target_color=b.coarse_color, warp=b.coarse_color)
    out = varied(agreeing, torch.Generator().manual_seed(0))
    assert torch.equal(out.target_color, out.coarse_color) and torch.equal(out.warp, out.coarse_color)
    flipped = torch.tensor([not torch.equal(a, b) for a, b in zip(out.pose, b.pose)])
    assert 16 < flipped.sum() < 48
    mirror = torch.tensor([-1.0, 1, 1])[:, None, None]
    assert torch.equal(out.pose[flipped], b.pose[flipped].flip(-1) * mirror)
    assert torch.equal(out.visibility[flipped], b.visibility[flipped].flip(-1))
    assert torch.equal(out.coefficients[flipped], b.coefficients[flipped][:, list(arkit.MIRROR)])
    assert torch.equal(out.coefficients[~flipped], b.coefficients[~flipped])
    ends = replace(b, reference=(b.reference > 0.5).float())
    assert varied(ends, torch.Generator().manual_seed(1)).reference.unique().tolist() == [0, 1]
    assert (out.reference[~flipped] - b.reference[~flipped]).abs().mean() > 0.01


def test_frames_of_a_clip_vary_together() -> None:
    b = batch(1)
    twice = Batch.stack([b, b] * 8)
    out = varied(twice, torch.Generator().manual_seed(0), clips=8)
    assert torch.equal(out.target_color[::2], out.target_color[1::2])
    assert len({float(x.sum()) for x in out.target_color}) > 4


def some_faces(groups: int = 3, moments: int = 4) -> Faces:
    g = torch.Generator().manual_seed(3)
    own = torch.rand(groups, moments, 1, 3, 8, 8, generator=g).repeat_interleave(8, -1).repeat_interleave(8, -2)
    crops = (own + 0.05 * torch.randn(groups, moments, 2, 3, 64, 64, generator=g)).clamp(0, 1)
    points = torch.rand(groups, moments, 2, 4, COUNT, 2, generator=g) - 0.5
    return Faces(crops, points, torch.rand(groups, moments, 52, generator=g))


def test_a_mirrored_face_winks_with_the_other_eye() -> None:
    faces = some_faces(32)
    out = varied_faces(faces, torch.Generator().manual_seed(0), 0.0)
    flipped = torch.tensor([not torch.equal(a, b) for a, b in zip(out.crops, faces.crops)])
    assert 8 < flipped.sum() < 24
    assert torch.equal(out.coefficients[flipped], faces.coefficients[flipped][..., list(arkit.MIRROR)])


def test_a_mirrored_face_has_its_eyes_swapped_and_the_rest_turned_about() -> None:
    crops = some_faces(2).crops.flatten(0, 2)
    out = mirrored(crops)
    assert torch.equal(out[..., :32, :32], crops[..., :32, 32:]) and torch.equal(out[..., :32, 32:], crops[..., :32, :32])
    assert torch.equal(out[..., 32:, :32], crops[..., 32:, :32].flip(-1))
    assert torch.equal(out[..., 32:, 32:], crops[..., 32:, 32:].flip(-1))
    assert torch.equal(mirrored(out), crops)
    points = some_faces(2).points
    assert torch.equal(mirrored_points(mirrored_points(points)), points)
    faces = varied_faces(some_faces(32), torch.Generator().manual_seed(0), 0.0)
    eyes, before = faces.points[:, :, :, 0], some_faces(32).points
    swapped = [torch.equal(a, b[:, :, 1]) for a, b in zip(eyes, before)]
    assert 8 < sum(swapped) < 24 and sum(torch.equal(a, b[:, :, 0]) for a, b in zip(eyes, before)) == 32 - sum(swapped)


def taught(prior: Prior, readout: torch.nn.Linear, faces: Faces, rate: float) -> tuple[torch.Tensor, ...]:
    """`expression_loss` at the last of forty steps."""
    optimizer = torch.optim.Adam([*prior.expression.parameters(), *readout.parameters()], rate)
    for _ in range(40):
        optimizer.zero_grad()
        losses = expression_loss(prior, readout, faces)
        losses[0].backward()
        optimizer.step()
    return losses


def test_faces_teach_the_latent_what_the_face_does_and_not_where_the_webcam_is() -> None:
    torch.manual_seed(0)
    prior = Prior(config(training={"readout": 1.0, "contrast": 1.0}))
    readout, faces = torch.nn.Linear(16, 52), some_faces()
    before = expression_loss(prior, readout, faces)[0].item()
    loss, missed, _ = taught(prior, readout, faces, 3e-3)
    assert loss.item() < 0.5 * before and missed == 0
    latent = prior.expression(faces.crops.flatten(0, 2)).reshape(3, 4, 2, -1)
    assert triples(latent) == 1
    without = trained(config())
    g = torch.Generator().manual_seed(0)
    plain, more = (denoising_loss(without, readout, batch(), g.manual_seed(0), f).total.item() for f in (None, faces))
    assert more == pytest.approx(plain), "weights of 0 teach nothing"


def test_places_are_drawn_to_the_landmarks() -> None:
    torch.manual_seed(0)
    prior = Prior(config(training={"points": 1.0}))
    readout, faces = torch.nn.Linear(16, 52), some_faces()
    before = expression_loss(prior, readout, faces)[2].item()
    loss, _, far = taught(prior, readout, faces, 1e-2)
    assert far.item() < 0.9 * before, "two views of a face that has other points in each"
    assert 0.3 * far.item() < loss.item() < 3 * far.item(), "nothing else was asked for, some places more than others"


def test_figures_are_what_their_names_say() -> None:
    where = torch.ones(1, 1, 4, 4)
    where[..., 0] = 0
    truth = torch.zeros(1, 3, 4, 4)
    wrong = truth + 0.1
    wrong[..., 0] = 1
    assert psnr(wrong, truth, where) == pytest.approx(20, abs=1e-3)
    up, right = torch.tensor([0.0, 1, 0]), torch.tensor([0.5, 0.5, 0])
    a, b = (v.reshape(1, 3, 1, 1).expand(1, 3, 4, 4) for v in (up, right))
    assert angle_deg(a, b, where) == pytest.approx(45, abs=1e-2)
    x = torch.rand(50, 3)
    assert explained(x, x) == 1 and explained(x.mean(0).expand(50, 3), x) == pytest.approx(0, abs=1e-5)


def test_a_linear_readout_finds_what_is_linear_in_the_latent() -> None:
    torch.manual_seed(0)
    coefficients = torch.rand(80, 5, 52)
    latents = (coefficients - 0.5) @ torch.randn(52, 128)
    assert linear_readout(latents, coefficients, ridge=1e-4) > 0.95
    assert linear_readout(torch.randn(80, 5, 128), coefficients) < 0.1


def test_a_linear_readout_is_not_told_who_somebody_is() -> None:
    """Everybody has one face and one latent: known by heart, it would be read perfectly."""
    torch.manual_seed(0)
    latents, coefficients = (torch.randn(40, 1, n).expand(-1, 6, -1) for n in (128, 52))
    assert linear_readout(latents, coefficients) < 0.1


def test_triples_count_the_nearer_view() -> None:
    x = torch.zeros(4, 2)
    near, far = x + 0.1, x + 1
    assert closer_across_views(x, near, far) == 1 and closer_across_views(x, far, near) == 0
    moments = torch.arange(3.0)[None, :, None, None].expand(2, 3, 2, 1)
    assert triples(moments + 0.2 * torch.arange(2.0)[:, None]) == 1
    assert triples(moments + 3.0 * torch.arange(2.0)[:, None]) == 0


def test_frames_of_a_clip_share_their_noise_level(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = trained(config(mechanisms={"temporal": True}, training={"frames": 2}))
    seen: list[torch.Tensor] = []
    real = prior.schedule.add_noise
    monkeypatch.setattr(prior.schedule, "add_noise", lambda clean, noise, t: seen.append(t) or real(clean, noise, t))
    assert torch.isfinite(loss(prior, batch(6)))
    assert torch.equal(seen[0][::2], seen[0][1::2]) and len(seen[0].unique()) > 1
