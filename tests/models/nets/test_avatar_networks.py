"""Networks out of an avatar: they say what they said when they were trained, in torch, in ONNX, and in the avatar's pose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models import arkit
from models.avatar import Avatar, AvatarPoser
from models.corrections import WIDTH, Basis, Corrections
from models.engines.export import exported
from models.engines.onnx_runtime import OnnxEngine
from models.heads.base import HeadModel, Pose
from models.nets import avatar_networks
from models.nets.deformation import Deformation
from models.nets.dynamics import Dynamics
from models.networks import DEFORMATION, DYNAMICS, Networks
from models.torch_posing import TorchPoser, pose_numbers
from tests.models import makers

ACTIVE = 60
pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def trained(model: HeadModel) -> tuple[Dynamics, Deformation, np.ndarray]:
    torch.manual_seed(1)
    dynamics, deformation = Dynamics(), Deformation(model.person(np.zeros(model.identity_count)))
    torch.nn.init.normal_(dynamics.last.weight, std=0.2)
    torch.nn.init.normal_(deformation.out.weight, std=20)
    rng = np.random.default_rng(2)
    points = [rng.uniform(-1, 1, (ACTIVE, 3)), rng.uniform(0.5, 2, (ACTIVE, 1)), rng.uniform(-0.1, 1.1, (ACTIVE, 3))]
    return dynamics, deformation, np.concatenate(points, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def avatar(model: HeadModel, trained: tuple[Dynamics, Deformation, np.ndarray]) -> Avatar:
    dynamics, deformation, points = trained
    networks = Networks(avatar_networks.of_dynamics(dynamics, points), avatar_networks.of_deformation(deformation))
    rng, plain = np.random.default_rng(4), makers.avatar(model, 90)
    bases = [
        Basis(rng.normal(0, 1e-3, (2, *shape)).astype(np.float32), rng.normal(size=(arkit.COUNT, 2)).astype(np.float32))
        for shape in ((ACTIVE, WIDTH), (model.vertex_count, 3))
    ]
    corrections = Corrections(np.arange(20, 20 + ACTIVE, dtype=np.int32), bases[0], bases[1], 0.1, networks)
    return replace(plain, corrections=corrections)


def expression() -> torch.Tensor:
    return torch.rand(arkit.COUNT, generator=torch.Generator().manual_seed(6)) * 0.7


def test_the_layouts_are_the_networks(trained: tuple[Dynamics, Deformation, np.ndarray]) -> None:
    """A changed network needs a new layout, and a new version of the file."""
    for net, layout, besides in ((trained[0], DYNAMICS, "points"), (trained[1], DEFORMATION, "rest")):
        assert {n: tuple(t.shape) for n, t in net.state_dict().items()} == {n: s for n, s in layout.items() if n != besides}


@torch.no_grad()
def test_they_say_what_was_trained_but_for_half_precision(
    model: HeadModel, trained: tuple[Dynamics, Deformation, np.ndarray], avatar: Avatar
) -> None:
    dynamics, deformation, points = trained
    e, known = expression(), torch.from_numpy(points)
    moved, changed = avatar_networks.deformation_of(avatar, avatar.person(model)), avatar_networks.dynamics_of(avatar)
    assert moved is not None and changed is not None
    want = deformation(e) - deformation(torch.zeros(arkit.COUNT))
    assert want.abs().max() > 1e-4
    torch.testing.assert_close(moved(e), want, atol=5e-3 * float(want.abs().max()), rtol=0)
    flat = dynamics.flat(known[:, :3], e)
    flat[:, 3:7] /= known[:, 3:4]
    flat[:, 11:] = (known[:, 4:] + flat[:, 11:]).clamp(0, 1) - known[:, 4:].clamp(0, 1)
    torch.testing.assert_close(changed(e), flat, atol=0.02 * float(flat.abs().max()), rtol=0)
    rest = torch.zeros(arkit.COUNT)
    assert not changed(rest).any() and moved(rest).abs().max() < 1e-8


@torch.no_grad()
def test_onnx_runtime_says_the_same(model: HeadModel, avatar: Avatar) -> None:
    for network in (avatar_networks.deformation_of(avatar, avatar.person(model)), avatar_networks.dynamics_of(avatar)):
        assert network is not None
        graph = exported(network, {"coefficients": torch.zeros(arkit.COUNT)}, "changes", batched=False)
        made = OnnxEngine(graph).run({"coefficients": expression().numpy()})["changes"]
        want = network(expression()).numpy()
        assert np.abs(want).max() > 0
        np.testing.assert_allclose(made, want, atol=1e-3 * float(np.abs(want).max()))


def test_the_device_poses_with_the_networks_and_the_processor_with_the_directions(model: HeadModel, avatar: Avatar) -> None:
    """With bases that are made of what the networks say of one expression, both pose that one alike."""
    e, corrections = expression(), avatar.corrections
    moved, changed = avatar_networks.deformation_of(avatar, avatar.person(model)), avatar_networks.dynamics_of(avatar)
    assert corrections is not None and moved is not None and changed is not None
    with torch.no_grad():
        said = (changed(e).numpy(), moved(e).numpy())
    mixing = (e / (e @ e)).numpy()[:, None]
    gaussians, vertices = (Basis(np.ascontiguousarray(s[None]), mixing) for s in said)
    same = replace(avatar, corrections=replace(corrections, gaussians=gaussians, vertices=vertices))
    plain = replace(avatar, corrections=None)
    slow = AvatarPoser(same, model)
    poser = TorchPoser(same, slow.person, torch.device("cpu"))
    for coefficients in (e.numpy(), np.zeros(arkit.COUNT, np.float32)):
        there = torch.from_numpy(pose_numbers(slow.person, coefficients, Pose()))
        with torch.inference_mode():
            ours = poser.table(poser.pose(there), there).numpy()
        theirs = slow.pose(coefficients)
        np.testing.assert_allclose(ours[:, :3], theirs.means, atol=2e-5)
        np.testing.assert_allclose(ours[:, 11:], theirs.colors, atol=1e-4)
        without = AvatarPoser(plain, model).pose(coefficients)
        assert bool(coefficients.any()) == bool(np.abs(ours[:, :3] - without.means).max() > 1e-4)
    half = (0.5 * e).numpy()  # the networks are not linear, so here they differ: it is they that run
    there = torch.from_numpy(pose_numbers(slow.person, half, Pose()))
    assert np.abs(poser.table(poser.pose(there), there).numpy()[:, 11:] - slow.pose(half).colors).max() > 1e-4
