from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from models.heads.anny import AnnyHead
from models.heads.base import Pose, rotation_vector
from models.heads.torch_head import TorchHead, TorchPose, halfway, matrix, quaternion
from tests.models import makers

RNG = np.random.default_rng(1)
NAMES = [f.name for f in fields(TorchPose)]


def random_pose(batch: int, spread: float = 1.0) -> TorchPose:
    rest = TorchPose.rest(batch, dtype=torch.float64)
    return TorchPose(*(torch.as_tensor(RNG.normal(0, spread, getattr(rest, n).shape)) for n in NAMES))


def numpy_pose(pose: TorchPose, i: int) -> Pose:
    def affine(rotation: torch.Tensor, translation: torch.Tensor) -> np.ndarray:
        m = np.eye(4)
        m[:3, :3], m[:3, 3] = rotation_vector(rotation[i].numpy()), translation[i]
        return m

    return Pose(
        affine(pose.head, pose.head_translation),
        affine(pose.body, pose.body_translation),
        pose.gaze[i].numpy(),
        float(pose.jaw[i]),
    )


@pytest.mark.parametrize("model", [makers.random_head(), AnnyHead()], ids=["random", "anny"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_parity_with_numpy(model, dtype: torch.dtype) -> None:
    batch = 3
    pose = random_pose(batch, 0.5)
    identity, coefficients = RNG.normal(size=(batch, model.identity_count)), RNG.uniform(size=(batch, 52))
    offset = RNG.normal(0, 0.005, (model.vertex_count, 3))
    head = TorchHead(model, dtype)
    cast = TorchPose(*(getattr(pose, n).to(dtype) for n in NAMES))
    inputs = [torch.as_tensor(x).to(dtype) for x in (identity, coefficients)]
    vertices = head(*inputs, cast, torch.as_tensor(offset).to(dtype))
    landmarks = head.landmarks(*inputs, cast, torch.as_tensor(offset).to(dtype))  # type: ignore[call-arg]
    for i in range(batch):
        person = model.person(identity[i], offset)
        expected = person.vertices(coefficients[i], numpy_pose(pose, i))
        np.testing.assert_allclose(vertices[i], expected, atol=1e-5)
        np.testing.assert_allclose(landmarks[i], person.landmarks(expected), atol=1e-5)
    torch.testing.assert_close(head.landmarks_on(vertices), landmarks)


def test_without_a_pose_it_is_the_rest_pose() -> None:
    model = makers.random_head()
    head = TorchHead(model, torch.float64)
    identity, coefficients = torch.randn(2, 3, dtype=torch.float64), torch.rand(2, 52, dtype=torch.float64)
    rest = TorchPose.rest(2, dtype=torch.float64)
    torch.testing.assert_close(head(identity, coefficients), head(identity, coefficients, rest), atol=1e-7, rtol=0)
    torch.testing.assert_close(
        head.landmarks(identity, coefficients), head.landmarks(identity, coefficients, rest), atol=1e-7, rtol=0
    )


@pytest.mark.parametrize("spread", [0.0, 1e-6, 0.7])
def test_gradients(spread: float) -> None:
    """In float64, also at rest, where a rotation's angle has no gradient of its own."""
    model = makers.random_head(vertices=6, faces=4, identities=2)
    model = replace(model, landmark_face=model.landmark_face[:4], landmark_barycentric=model.landmark_barycentric[:4])
    head = TorchHead(model, torch.float64)
    identity, coefficients = torch.randn(1, 2, dtype=torch.float64), torch.rand(1, 52, dtype=torch.float64)
    inputs = [identity, coefficients, *(getattr(random_pose(1, spread), n) for n in NAMES)]
    for t in inputs:
        t.requires_grad_()

    def both(*t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pose = TorchPose(*t[2:])
        return head(*t[:2], pose), head.landmarks(*t[:2], pose)  # type: ignore[call-arg]

    assert torch.autograd.gradcheck(both, inputs)


def test_rotations() -> None:
    vectors = RNG.normal(size=(20, 3)) * np.geomspace(1e-9, 3, 20)[:, None]
    expected = np.stack([rotation_vector(v) for v in vectors])
    np.testing.assert_allclose(matrix(quaternion(torch.as_tensor(vectors))), expected, atol=1e-9)


def test_halfway_takes_the_short_way() -> None:
    vectors = torch.as_tensor(RNG.normal(size=(2, 50, 3)) * 2)
    a, b = quaternion(vectors)
    middle = matrix(halfway(a, b))
    half = matrix(a).transpose(1, 2) @ middle
    torch.testing.assert_close(half @ half, matrix(a).transpose(1, 2) @ matrix(b))
    trace = half.diagonal(dim1=1, dim2=2).sum(1)
    assert (trace >= 1 - 1e-9).all()  # at most a quarter turn


def test_buffers_move_and_are_not_saved() -> None:
    head = TorchHead(makers.random_head()).to(torch.float64)
    assert head.whole.template.dtype == torch.float64
    assert not head.state_dict()
    assert not list(head.parameters())
