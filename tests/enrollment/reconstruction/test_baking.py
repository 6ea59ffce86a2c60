from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from enrollment.reconstruction import baking
from enrollment.reconstruction.capture import Frame
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.scene import Scene
from enrollment.reconstruction.targets import Targets
from models import arkit, avatar_file
from models.avatar import Avatar, AvatarPoser
from models.heads.base import HeadModel
from models.splat.cpu import CpuRasterizer
from models.torch_posing import TorchPoser, pose_numbers
from models.types import Gaussians
from tests.enrollment import scenes

EXPRESSIONS: tuple[dict[str, float], ...] = (
    {},
    {"jawOpen": 0.7},
    {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.8},
    {"jawOpen": 0.4, "browInnerUp": 1.0},
)


pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def truth(model: HeadModel) -> Avatar:
    return scenes.colourful(model)


@pytest.fixture(scope="module")
def views(truth: Avatar, model: HeadModel) -> list[Frame]:
    poses = [scenes.turned(model, 0.0, 0.1 * i, 0.0) for i in range(len(EXPRESSIONS))]
    yaws = (-0.2, 0.0, 0.2, 0.1)
    every = zip(yaws, poses, EXPRESSIONS, strict=True)
    return [scenes.frame(truth, model, scenes.camera(yaw), pose, **e) for yaw, pose, e in every]


def trained(truth: Avatar, model: HeadModel, views: list[Frame], **on: bool) -> Scene:
    """A scene with networks that say something, as if they had been trained."""
    scene = Scene(truth, truth.person(model), views, ReconstructConfig(size=scenes.SIDE, normals=False, **on))
    with torch.no_grad():
        if scene.dynamics is not None:
            torch.nn.init.normal_(scene.dynamics.last.weight, std=0.2)
        if scene.deformation is not None:
            torch.nn.init.normal_(scene.deformation.out.weight, std=10)  # and moves the resting face too
        if scene.coin is not None:
            torch.nn.init.normal_(scene.coin.last.weight, std=0.05)
        now = scene.splats.now
        now["rotations"] *= 1.7  # the optimiser lets them have any length
    return scene


def baked(scene: Scene, truth: Avatar, model: HeadModel, views: list[Frame]) -> Avatar:
    targets = Targets(views, scene.person, scenes.SIDE, normals=False, rng_seed=0).whole
    return baking.with_corrections(scene.avatar(truth), model, scene, views, targets)


@pytest.mark.parametrize("on", [{"dynamics": True}, {"deformation": True}, {"dynamics": True, "deformation": True}])
def test_the_avatar_looks_like_the_networks(
    truth: Avatar, model: HeadModel, views: list[Frame], tmp_path: Path, on: dict[str, bool]
) -> None:
    scene = trained(truth, model, views, **on)
    made = baked(scene, truth, model, views)
    assert made.corrections is not None and made.corrections.loss_db < 0.3
    avatar_file.save(made, tmp_path / "a.avatar")
    loaded = avatar_file.load(tmp_path / "a.avatar", model)
    for i, view in enumerate(views):
        with torch.no_grad():
            network = scene.draw(i, view.camera).color.numpy()
        plain = scenes.psnr(scenes.drawn(replace(made, corrections=None), model, view), network)
        for avatar in (made, loaded):
            near = scenes.psnr(scenes.drawn(avatar, model, view), network)
            assert near > (plain + 20 if i else 48)  # the first one rests: nothing is left to correct
        assert scenes.psnr(drawn_with_networks(loaded, model, view), network) > 48


def drawn_with_networks(avatar: Avatar, model: HeadModel, view: Frame) -> np.ndarray:
    """As a GPU does it: by the networks that the file carries."""
    assert avatar.corrections is not None and avatar.corrections.networks is not None
    person = avatar.person(model)
    poser = TorchPoser(avatar, person, torch.device("cpu"))
    numbers = torch.from_numpy(pose_numbers(person, view.coefficients, view.pose))
    table = poser.table(poser.pose(numbers), numbers).numpy()
    columns = np.split(table, [3, 7, 10, 11], axis=1)
    posed = Gaussians(*(np.ascontiguousarray(part[:, 0] if k == 3 else part) for k, part in enumerate(columns)))
    return CpuRasterizer(1).render(posed, view.camera).color


def test_the_resting_face_is_in_the_avatar_itself(truth: Avatar, model: HeadModel, views: list[Frame]) -> None:
    scene = trained(truth, model, views, dynamics=True, deformation=True)
    made = baked(scene, truth, model, views)
    plain = replace(made, corrections=None)
    with_, without = (AvatarPoser(avatar, model).pose(np.zeros(arkit.COUNT)).means.copy() for avatar in (made, plain))
    np.testing.assert_allclose(with_, without, atol=1e-6)
    assert scene.deformation is not None
    with torch.no_grad():
        resting = scene.deformation(torch.zeros(arkit.COUNT)).numpy()
    np.testing.assert_allclose(made.offset - scene.avatar(truth).offset, resting, atol=1e-6)
    assert np.abs(resting).max() > 5e-4


def test_gaussians_that_no_frame_showed_are_left_alone(truth: Avatar, model: HeadModel, views: list[Frame]) -> None:
    scene = trained(truth, model, views, dynamics=True)
    scene.splats.seen = torch.zeros(len(scene.splats))
    scene.splats.seen[100:300] = 1
    corrections = baked(scene, truth, model, views).corrections
    assert corrections is not None and set(corrections.active) <= set(range(100, 300)) and len(corrections.active) > 50


def test_no_more_gaussians_than_a_frame_has_time_for(
    truth: Avatar, model: HeadModel, views: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = trained(truth, model, views, dynamics=True)  # three expressions: three directions
    for most, budget, count in ((500, 10_000, 500), (5000, 1500, 500), (5000, 30, 10)):
        monkeypatch.setattr(baking, "MOST_ACTIVE", most)
        monkeypatch.setattr(baking, "BUDGET", budget)
        corrections = baked(scene, truth, model, views).corrections
        assert corrections is not None and corrections.gaussians is not None
        assert corrections.active.shape == (count,) and corrections.gaussians.directions.shape == (3, count, 14)
        assert (np.diff(corrections.active) > 0).all()


def test_coin_is_not_taken_for_a_loss(truth: Avatar, model: HeadModel, views: list[Frame]) -> None:
    corrections = baked(trained(truth, model, views, dynamics=True, coin=True), truth, model, views).corrections
    assert corrections is not None and corrections.loss_db < 0.3


def test_untrained_networks_leave_no_corrections(truth: Avatar, model: HeadModel, views: list[Frame]) -> None:
    scene = Scene(truth, truth.person(model), views, ReconstructConfig(dynamics=True, deformation=True))
    assert baked(scene, truth, model, views).corrections is None
    assert baked(trained(truth, model, views), truth, model, views).corrections is None
