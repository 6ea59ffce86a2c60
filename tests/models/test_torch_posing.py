"""An avatar posed in torch is the avatar that numba poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models import arkit
from models.avatar import Avatar, AvatarPoser
from models.corrections import WIDTH
from models.heads.anny import AnnyHead
from models.heads.base import HeadModel, Pose
from models.posture import body_under
from models.renderer import head_matrix
from models.torch_posing import POSE_NUMBERS, BoundTensors, TorchPoser, pose_numbers, table
from models.types import Array, DriveFrame, Gaussians
from tests.models import makers

CPU = torch.device("cpu")
MODEL = AnnyHead()
FACES = len(MODEL.faces)
RNG = np.random.default_rng(5)


def person(model: HeadModel, corrected: bool) -> Avatar:
    plain = makers.avatar(model, 900)
    return replace(plain, corrections=makers.corrections(model, 900, 400)) if corrected else plain


def drives() -> list[DriveFrame]:
    made = [DriveFrame()]
    for _ in range(3):
        turn = RNG.normal(size=4) * 0.2 + [1, 0, 0, 0]
        expression = (0.6 * RNG.uniform(size=arkit.COUNT)).astype(np.float32)
        gaze = RNG.normal(0, 0.2, (2, 2)).astype(np.float32)
        made.append(DriveFrame(0.0, 1.0, turn / np.linalg.norm(turn), RNG.normal(0, 0.05, 3), expression, gaze))
    return made


def pose_of(poser: AvatarPoser, drive: DriveFrame) -> Pose:
    head = head_matrix(drive)
    return Pose(head=head, body=body_under(head, poser.person.joints), gaze=drive.gaze)


def compare(ours: torch.Tensor, wanted: Gaussians) -> None:
    """Columns of a table against the numba poser's arrays."""
    means, turns, scales, opacities, colors = ours.numpy()[:, [0, 1, 2]], ours[:, 3:7].numpy(), *np.split(ours[:, 7:], [3, 4], 1)
    np.testing.assert_allclose(means, wanted.means, atol=2e-5)
    np.testing.assert_allclose(np.abs((turns * wanted.rotations).sum(axis=1)), 1, atol=1e-4)  # q and -q are one rotation
    np.testing.assert_allclose(scales, wanted.scales, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(opacities[:, 0], wanted.opacities, atol=1e-4)
    np.testing.assert_allclose(colors, wanted.colors, atol=1e-4)


@pytest.mark.parametrize("corrected", [False, True])
def test_it_is_the_avatar_that_the_processor_poses(corrected: bool) -> None:
    avatar = person(MODEL, corrected)
    slow = AvatarPoser(avatar, MODEL)
    fast, moved = TorchPoser(avatar, slow.person, CPU), list[Array]()
    for drive in drives():
        numbers = pose_numbers(slow.person, drive.coefficients, pose_of(slow, drive))
        assert numbers.shape == (POSE_NUMBERS,) and numbers.dtype == np.float32
        there = torch.from_numpy(numbers)
        made, wanted = fast.table(fast.pose(there), there), slow.pose(drive.coefficients, pose_of(slow, drive))
        compare(made, wanted)
        moved.append(wanted.colors.copy())
    assert corrected == bool(np.abs(moved[0] - moved[1]).max() > 0), "the corrections are seen"


def test_a_coarser_level_hangs_on_the_same_triangles() -> None:
    avatar = person(MODEL, corrected=False)
    slow, (_, drive, *_) = AvatarPoser(avatar, MODEL), drives()
    fast, which = TorchPoser(avatar, slow.person, CPU), np.arange(0, 900, 7)
    there = torch.from_numpy(pose_numbers(slow.person, drive.coefficients, pose_of(slow, drive)))
    some = table(BoundTensors.of(avatar.gaussians.select(which), CPU), fast.pose(there))
    torch.testing.assert_close(some, fast.table(fast.pose(there), there)[which])
    assert some.shape[1] == WIDTH


def test_a_correction_that_cancels_a_turn_out_keeps_that_at_rest() -> None:
    avatar = person(MODEL, corrected=True)
    corrections = avatar.corrections
    assert corrections is not None and corrections.gaussians is not None
    directions, mixing = 0 * corrections.gaussians.directions, 0 * corrections.gaussians.mixing
    directions[0, 0, 3:7], mixing[0, 0] = -avatar.gaussians.rotations[corrections.active[0]], 1.0
    basis = replace(corrections.gaussians, directions=directions, mixing=mixing)
    avatar = replace(avatar, corrections=replace(corrections, gaussians=basis, vertices=None))
    slow, expression = AvatarPoser(avatar, MODEL), np.eye(arkit.COUNT, dtype=np.float32)[0]
    there = torch.from_numpy(pose_numbers(slow.person, expression, Pose()))
    fast = TorchPoser(avatar, slow.person, CPU)
    compare(fast.table(fast.pose(there), there), slow.pose(expression, Pose()))
