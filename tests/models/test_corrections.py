from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models import arkit, binding
from models.avatar import Avatar, AvatarPoser
from models.binding import BoundGaussians
from models.corrections import WIDTH, Basis, Corrections, Corrector
from models.exchange import lam, ply
from models.nets.bake import bake
from models.nets.dynamics import Dynamics, Residuals
from tests.models import makers

HEAD = makers.random_head()
PLAIN = makers.avatar(HEAD, 300)
AVATAR = replace(PLAIN, corrections=makers.corrections(HEAD, 300, 170))
RNG = np.random.default_rng(3)
COEFFICIENTS = RNG.uniform(size=arkit.COUNT).astype(np.float32)
FIELDS = ("means", "rotations", "scales", "opacities", "colors")


def only(avatar: Avatar, *, gaussians: bool) -> Avatar:
    c = avatar.corrections
    assert c is not None
    kept = replace(c, vertices=None) if gaussians else replace(c, gaussians=None, active=c.active[:0])
    return replace(avatar, corrections=kept)


def slowly(bound: BoundGaussians, corrections: Corrections, coefficients: np.ndarray) -> BoundGaussians:
    """What corrections mean, in float64 and as the optimiser has it: logarithms and log-odds."""
    assert corrections.gaussians is not None
    d = np.zeros((len(bound), WIDTH))
    weights = coefficients.astype(np.float64) @ corrections.gaussians.mixing
    d[corrections.active] = np.tensordot(weights, corrections.gaussians.directions, 1)
    rotations = bound.rotations + d[:, 3:7]
    logit = np.log(bound.opacities / (1 - bound.opacities.astype(np.float64))) + d[:, 10]
    return BoundGaussians(
        bound.face, bound.means + d[:, :3], rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        np.exp(np.log(bound.scales) + d[:, 7:10]), 1 / (1 + np.exp(-logit)), (bound.colors + d[:, 11:]).clip(0, 1),
    )  # fmt: skip


def test_gaussians_are_corrected_as_defined() -> None:
    corrections = AVATAR.corrections
    assert corrections is not None and corrections.gaussians is not None
    corrector = Corrector(AVATAR.gaussians, corrections.active, corrections.gaussians)
    for expression in (COEFFICIENTS, np.eye(52)[17], 0.3 * COEFFICIENTS):
        got, want = corrector(expression), slowly(AVATAR.gaussians, corrections, expression)
        for name in FIELDS:
            np.testing.assert_allclose(getattr(got, name), getattr(want, name), rtol=2e-4, atol=2e-5)
    changed = np.abs(got.colors - AVATAR.gaussians.colors).max(axis=1) > 0
    assert set(np.flatnonzero(changed)) <= set(corrections.active) and changed.sum() > 100


def test_the_posed_avatar_has_both_kinds() -> None:
    corrections = AVATAR.corrections
    assert corrections is not None and corrections.gaussians is not None and corrections.vertices is not None
    got = AvatarPoser(AVATAR, HEAD).pose(COEFFICIENTS)
    moved = corrections.vertices(COEFFICIENTS)
    vertices = replace(PLAIN, offset=PLAIN.offset + moved).person(HEAD).vertices(COEFFICIENTS)
    bound = slowly(AVATAR.gaussians, corrections, COEFFICIENTS)
    bound = replace(bound, **{name: getattr(bound, name).astype(np.float32) for name in FIELDS})
    want = binding.to_world(bound, binding.frames(vertices, HEAD.faces))
    for name in FIELDS:
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), rtol=1e-3, atol=1e-4)
    assert np.abs(moved).max() > 0.001


@pytest.mark.parametrize("gaussians", [True, False])
def test_each_kind_alone_changes_the_pose(gaussians: bool) -> None:
    got = AvatarPoser(only(AVATAR, gaussians=gaussians), HEAD).pose(COEFFICIENTS)
    without = AvatarPoser(PLAIN, HEAD).pose(COEFFICIENTS)
    assert np.abs(got.means - without.means).max() > 1e-3
    assert (np.abs(got.colors - without.colors).max() > 0.01) == gaussians


def test_nothing_is_corrected_at_rest_also_after_an_expression() -> None:
    poser, without = AvatarPoser(AVATAR, HEAD), AvatarPoser(PLAIN, HEAD)
    poser.pose(COEFFICIENTS)
    got, want = poser.pose(np.zeros(52)), without.pose(np.zeros(52))
    for name in FIELDS:
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), rtol=1e-6, atol=1e-6)


def test_posing_writes_over_its_result_and_leaves_the_avatar_alone() -> None:
    before = {name: getattr(AVATAR.gaussians, name).copy() for name in FIELDS}
    poser = AvatarPoser(AVATAR, HEAD)
    first = poser.pose(np.zeros(52))
    colors, kept = first.colors, first.colors.copy()
    assert poser.pose(COEFFICIENTS) is first and first.colors is colors
    assert np.abs(colors - kept).max() > 0.01
    for name, array in before.items():
        np.testing.assert_array_equal(getattr(AVATAR.gaussians, name), array)
    assert AvatarPoser(PLAIN, HEAD).gaussians.colors is PLAIN.gaussians.colors  # without corrections nothing is copied


def test_attributes_stay_in_their_ranges_whatever_the_directions_say() -> None:
    wild = Basis(RNG.choice([-1000.0, 1000.0], (2, 300, WIDTH)).astype(np.float32), np.full((52, 2), 1000, np.float32))
    avatar = replace(PLAIN, corrections=Corrections(np.arange(300, dtype=np.int32), wild, None, 0.0))
    got = AvatarPoser(avatar, HEAD).pose(COEFFICIENTS)
    assert all(np.isfinite(getattr(got, name)).all() for name in FIELDS)
    np.testing.assert_allclose(np.linalg.norm(got.rotations, axis=1), 1, atol=1e-3)
    for unit in (got.opacities, got.colors):
        assert unit.min() >= 0 and unit.max() <= 1
    assert got.scales.min() >= 0


def test_a_quaternion_that_is_cancelled_out_keeps_its_rotation() -> None:
    directions = np.zeros((1, 300, WIDTH), np.float32)
    directions[0, :, 3:7] = -PLAIN.gaussians.rotations
    mixing = np.zeros((52, 1), np.float32)
    mixing[17] = 1
    corrector = Corrector(PLAIN.gaussians, np.arange(300, dtype=np.int32), Basis(directions, mixing))
    np.testing.assert_allclose(corrector(np.eye(52)[17]).rotations, PLAIN.gaussians.rotations, atol=1e-5)


@pytest.mark.parametrize("positions", [True, False])
def test_a_choice_of_gaussians_keeps_their_corrections(positions: bool) -> None:
    mask = RNG.random(300) < 0.5
    part = AVATAR.select(np.flatnonzero(mask) if positions else mask)
    got, whole = AvatarPoser(part, HEAD).pose(COEFFICIENTS), AvatarPoser(AVATAR, HEAD).pose(COEFFICIENTS)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(got, name), getattr(whole, name)[mask], atol=1e-5)
    assert PLAIN.select(mask).corrections is None
    idle = np.setdiff1d(np.arange(300), AVATAR.corrections.active if AVATAR.corrections else [])
    assert only(AVATAR, gaussians=True).select(idle).corrections is None
    left = AVATAR.select(idle).corrections
    assert left is not None and left.gaussians is None and left.vertices is not None and len(left.active) == 0


def test_exported_expressions_have_the_corrections() -> None:
    with_, without = (lam.encode(avatar, HEAD) for avatar in (AVATAR, PLAIN))
    rest, plain = (ply.gaussians_of(ply.read_columns(files["offset.ply"])) for files in (with_, without))
    for name in FIELDS:
        np.testing.assert_allclose(getattr(rest, name), getattr(plain, name), rtol=1e-5, atol=1e-5)
    assert with_["skin.glb"] != without["skin.glb"]


def test_baked_dynamics_do_what_the_network_does() -> None:
    torch.manual_seed(0)
    net = Dynamics()
    torch.nn.init.normal_(net.last.weight, std=0.1)
    g = PLAIN.gaussians
    places = torch.from_numpy(RNG.uniform(-1, 1, (300, 3)).astype(np.float32))
    expressions = (0.5 * RNG.uniform(size=(40, 52)) * (RNG.random((40, 52)) < 0.1)).astype(np.float32)
    basis = bake(lambda e: net.flat(places, e), expressions, scale=1 / net.size.numpy(), made_up=0).basis.rounded()
    poser = AvatarPoser(replace(PLAIN, corrections=Corrections(np.arange(300, dtype=np.int32), basis, None, 0.0)), HEAD)
    errors, changes = [], []
    for expression in expressions[:10]:
        with torch.no_grad():
            d: Residuals = net(places, torch.from_numpy(expression))
            odds = torch.logit(torch.from_numpy(g.opacities)) + d.logits
            colors = (torch.from_numpy(g.colors) + d.colors).clamp(0, 1).numpy()
        posed = poser.pose(expression)
        errors.append(np.abs(posed.colors - colors).mean() + np.abs(posed.opacities - odds.sigmoid().numpy()).mean())
        changes.append(np.abs(g.colors - colors).mean() + np.abs(g.opacities - odds.sigmoid().numpy()).mean())
    assert np.mean(errors) < 0.1 * np.mean(changes)
