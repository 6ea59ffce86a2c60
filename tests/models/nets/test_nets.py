from __future__ import annotations

import numpy as np
import pytest
import torch

from models.heads.base import HeadModel
from models.nets.bake import bake, loss_in_decibels, sampled
from models.nets.coin import Coin, position_embedding
from models.nets.deformation import UNIT, Deformation, uv_fragments
from models.nets.dynamics import CHANNELS, Dynamics
from models.nets.remesh import neighbourhood, remesh

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_untrained_networks_change_nothing(model: HeadModel) -> None:
    torch.manual_seed(0)
    points, expression = torch.rand(20, 3), torch.rand(52)
    assert not Coin(3)(1, torch.rand(20, 3), points).any()
    assert not Dynamics().flat(points, expression).any()
    assert not Deformation(model.person(np.zeros(model.identity_count)))(expression).any()


def test_position_embedding_tells_places_apart() -> None:
    points = torch.tensor([[0.0, 0.0, 0.0], [0.02, 0.0, 0.0]])
    e = position_embedding(points)
    assert e.shape == (2, 24)
    assert (e[0] - e[1]).norm() > 3 * (points[0] - points[1]).norm()


def test_coin_learns_each_views_own_tint_and_bakes_one() -> None:
    torch.manual_seed(0)
    colors, points = torch.full((50, 3), 0.5), torch.rand(50, 3)
    tints = torch.tensor([[0.1, 0.0, 0.0], [0.0, -0.1, 0.1]])
    coin = Coin(2)
    optimiser = torch.optim.Adam(coin.parameters(), 1e-2)
    for step in range(200):
        view = step % 2
        loss = (coin(view, colors, points) - tints[view]).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for view in (0, 1):
        assert (coin.baked(view, colors, points) - (colors + tints[view])).abs().max() < 0.03
    assert coin.baked(0, torch.ones(50, 3), points).max() <= 1


def test_coin_sends_no_gradient_into_the_colours() -> None:
    colors = torch.rand(5, 3, requires_grad=True)
    coin = Coin(1)
    torch.nn.init.ones_(coin.last.weight)
    coin(0, colors, torch.rand(5, 3)).sum().backward()
    assert colors.grad is None


def test_dynamics_leave_the_resting_face_alone_also_when_trained() -> None:
    torch.manual_seed(0)
    net = Dynamics()
    torch.nn.init.normal_(net.last.weight)
    points = torch.rand(9, 3)
    assert not net.flat(points, torch.zeros(52)).any()
    change = net(points, torch.rand(52))
    assert {name: getattr(change, name).reshape(9, -1).shape[1] for name in CHANNELS} == CHANNELS
    assert change.means.abs().max() > 0 and change.logits.shape == (9,)


def test_the_position_map_is_the_expression_alone(model: HeadModel) -> None:
    net = Deformation(model.person(np.zeros(model.identity_count)))
    coefficients = torch.zeros(52)
    at_rest = net.position_map(coefficients)
    assert at_rest.shape == (4, 64, 64) and 0.3 < float(at_rest[3].mean()) <= 1
    coefficients[17] = 1.0  # jawOpen
    moved = (net.position_map(coefficients) - at_rest)[:3].norm(dim=0)
    assert 0.02 < float((moved > 1e-3).float().mean()) < 0.9


def test_deformation_attends_to_the_expression(model: HeadModel) -> None:
    torch.manual_seed(0)
    net = Deformation(model.person(np.zeros(model.identity_count)), latent=7)
    torch.nn.init.normal_(net.out.weight, std=0.05)
    still = torch.zeros(52)
    a, b = (net(still, latent) for latent in (torch.zeros(7), torch.ones(7)))
    assert a.shape == (model.vertex_count, 3)
    assert float((a - b).detach().abs().max()) > 1e-4 * UNIT  # the same position map: what differs came through the attention


def test_a_linear_network_bakes_without_loss_and_a_bent_one_nearly() -> None:
    rng = np.random.default_rng(0)
    directions = torch.from_numpy(rng.normal(size=(10, 40, 3)).astype(np.float32))
    expressions = sampled(40, 10)

    def linear(e: torch.Tensor) -> torch.Tensor:
        return torch.tensordot(e, directions, 1)

    exact = bake(linear, expressions, rank=10)
    other = sampled(90, 10)[80:]
    got = np.stack([exact.basis(e) for e in other])
    want = np.stack([linear(torch.from_numpy(e)).numpy() for e in other])
    assert exact.basis.directions.shape == (10, 40, 3)
    assert np.abs(got - want).max() < 0.05 and exact.kept > 0.999
    few = bake(linear, expressions, rank=3)
    assert 0.3 < few.kept <= few.explained + 1e-6 < 0.95
    bent = bake(lambda e: torch.tanh(linear(e)), expressions, rank=10)
    assert 0.7 < bent.kept < exact.kept
    nothing = bake(lambda e: torch.zeros(4, 2), expressions)
    assert len(nothing.basis.directions) == 0 and not nothing.basis(expressions[0]).any()


def test_nothing_changes_at_rest_nor_by_a_coefficient_that_was_never_seen() -> None:
    rng = np.random.default_rng(2)
    directions = torch.from_numpy(rng.normal(size=(8, 20, 3)).astype(np.float32))
    expressions = sampled(30, 8)
    expressions[:, 5] = 0
    basis = bake(lambda e: torch.sin(torch.tensordot(e, directions, 1)), expressions, rank=8).basis
    assert not basis(np.zeros(8)).any()
    assert np.abs(basis(np.eye(8)[5])).max() < 1e-6 < 0.1 < np.abs(basis(np.eye(8)[4])).max()


def test_no_more_directions_than_it_takes() -> None:
    rng = np.random.default_rng(3)
    two = torch.from_numpy(rng.normal(size=(2, 20, 3)).astype(np.float32))
    made = bake(lambda e: torch.tensordot(e[:2], two, 1), sampled(40, 10), rank=10)
    assert made.basis.directions.shape == (2, 20, 3)
    weights = sampled(40, 10) @ made.basis.mixing
    assert 0.5 < np.abs(weights).max() <= 1 + 1e-5  # directions are as large as changes get: small numbers suffice


def test_numbers_that_matter_more_are_kept_better() -> None:
    rng = np.random.default_rng(1)
    directions = torch.from_numpy(rng.normal(size=(12, 30, 2)).astype(np.float32))
    expressions = sampled(60, 12)

    def residuals(e: torch.Tensor) -> torch.Tensor:
        return torch.tensordot(e, directions, 1)

    def error(scale: list[float]) -> float:
        baked = bake(residuals, expressions, rank=4, scale=np.array(scale, np.float32)).basis
        return float(np.mean([np.abs(baked(e) - residuals(torch.from_numpy(e)).numpy())[:, 0].mean() for e in expressions]))

    assert error([10, 0.1]) < 0.8 * error([0.1, 10])


def test_the_loss_of_baking_is_what_the_picture_loses() -> None:
    truth, near, far = (np.full((4, 4, 3), v, np.float32) for v in (0.5, 0.51, 0.52))
    assert loss_in_decibels([truth], [near], [far]) == pytest.approx(20 * np.log10(2), abs=0.01)
    assert loss_in_decibels([truth], [far], [near]) == 0


def test_hops_are_counted_over_shared_edges() -> None:
    strip = np.array([[i, i + 1, i + 2] for i in range(8)], np.int32)
    near = neighbourhood(strip, 3).toarray() > 0
    for i in range(8):
        assert (np.flatnonzero(near[i]) == [j for j in range(8) if abs(i - j) <= 3]).all()


def test_remeshing_keeps_the_surface_and_the_hop_limit_keeps_seams_apart(model: HeadModel) -> None:
    free, kept = remesh(model, 96, hops=None), remesh(model, 96)
    for mesh in (free, kept):
        points = mesh.interpolated(model.faces, model.template)
        assert np.abs(points).max() <= np.abs(model.template).max() + 1e-6

    def longest(mesh_faces: np.ndarray) -> np.ndarray:
        p = points[mesh_faces]
        return np.linalg.norm(p - np.roll(p, 1, axis=1), axis=2).max(axis=1)

    assert len(free.faces) > len(kept.faces) > 0.8 * len(free.faces)
    assert longest(kept.faces).max() < longest(free.faces).max()
    face, _ = uv_fragments(model, 96)
    assert len(kept.face) == (face >= 0).sum()


def test_a_remeshed_head_poses_like_the_old_one(model: HeadModel) -> None:
    mesh = remesh(model, 128)
    new = mesh.model(model)
    rng = np.random.default_rng(0)
    beta, coefficients = rng.normal(size=model.identity_count), rng.uniform(size=52)
    old = model.person(beta).vertices(coefficients)
    np.testing.assert_allclose(new.person(beta).expressed(coefficients), mesh.interpolated(model.faces, old), atol=1e-5)
    person = new.person(np.zeros(model.identity_count))
    marks, before = person.landmarks(person.rest), model.person(np.zeros(model.identity_count))
    apart = np.linalg.norm(marks - before.landmarks(before.rest), axis=1)
    assert np.median(apart) < 6e-3
