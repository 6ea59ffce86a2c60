"""Several pictures in one call of a gsplat that is played in plain torch: each as if drawn alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.heads.base import quaternion
from models.splat import autograd_cuda, batch_cuda
from models.splat.batch_cuda import Composition
from models.types import Camera
from tests.gpu import fake_gsplat
from tests.gpu.scenes import cloud

WIDTH, HEIGHT = 37, 29
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _gsplat(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gsplat.install(monkeypatch)


def rigid(seed: int) -> np.ndarray:
    m = np.eye(4)
    m[:3, :3] = Camera.orbit(float(seed), 0.3 * seed, width=8, height=8).world_to_camera[:3, :3]
    m[:3, 3] = 0.05 * np.random.default_rng(seed).normal(size=3)
    return m


def motion(m: np.ndarray) -> torch.Tensor:
    return torch.tensor([*quaternion(m[:3, :3]), *m[:3, 3]], dtype=torch.float32)


def lens(camera: Camera, behind: tuple[float, float, float]) -> torch.Tensor:
    k = (camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0)
    return torch.tensor([*camera.world_to_camera.reshape(-1), *k, *behind], dtype=torch.float32)


def test_each_picture_shows_its_own_people_where_they_stand_there() -> None:
    people = [cloud(count, 3, seed) for count, seed in ((40, 1), (25, 2), (7, 3))]
    tables = [torch.cat([*t[:3], t[3][:, None], t[4]], dim=1) for t in (p.all() for p in people)]
    table = batch_cuda.whole(tables, CPU)
    first = [0, 40, 65]
    shown = [[0, 1, 2], [1], [], [2, 0]]
    composition = Composition.of([[(first[k], len(tables[k])) for k in who] for who in shown], 72, CPU)
    assert composition.rows.shape == (4, 72) and composition.rows.dtype == torch.int64
    places = [[rigid(10 * i + k) for k in who] for i, who in enumerate(shown)]
    cameras = [Camera.orbit(0.4 * i, 0.1, width=WIDTH, height=HEIGHT) for i in range(4)]
    behind = [(1.0, 1.0, 1.0), (0.2, 0.3, 0.4), (0.5, 0.1, 0.7), (0.0, 0.0, 0.0)]
    motions = torch.stack([motion(m) for who in places for m in (who or [np.eye(4)])])
    lenses = torch.stack([lens(c, b) for c, b in zip(cameras, behind, strict=True)])
    color, alpha = batch_cuda.draw(table, composition, motions, lenses, WIDTH, HEIGHT)
    assert fake_gsplat.calls == [(4, 1, 72)], "one call for all"
    assert color.shape == (4, HEIGHT, WIDTH, 3) and alpha.shape == (4, HEIGHT, WIDTH)
    for i, who in enumerate(shown):
        alone = torch.cat([moved(tables[k], m) for k, m in zip(who, places[i], strict=True)] or [torch.zeros(0, 14)])
        columns = (alone[:, :3], alone[:, 3:7], alone[:, 7:10], alone[:, 10], alone[:, 11:])
        wanted, covered = autograd_cuda.draw(*columns, cameras[i], torch.tensor(behind[i]), depth=False)
        torch.testing.assert_close(color[i], wanted, atol=2e-4, rtol=0)
        torch.testing.assert_close(alpha[i], covered, atol=2e-4, rtol=0)
        assert bool(covered.max() > 0.1) == bool(who)


def moved(table: torch.Tensor, m: np.ndarray) -> torch.Tensor:
    """By matrices, as a check of the quaternions."""
    from scipy.spatial.transform import Rotation

    out, turn = table.double().numpy().copy(), Rotation.from_matrix(m[:3, :3])
    out[:, :3] = out[:, :3] @ m[:3, :3].T + m[:3, 3]
    q = table[:, 3:7].double().numpy()
    out[:, 3:7] = (turn * Rotation.from_quat(q[:, [1, 2, 3, 0]])).as_quat()[:, [3, 0, 1, 2]]
    return torch.tensor(out, dtype=torch.float32)


def test_broken_rows_are_transparent_and_harm_no_other() -> None:
    tensors = cloud(12, 3).all()
    table = torch.cat([*tensors[:3], tensors[3][:, None], tensors[4]], dim=1)
    table[0, 0], table[1, 12], table[2, 3:7] = torch.nan, torch.inf, 0.0
    made = batch_cuda.whole([table], CPU)
    assert made.shape == (13, 14) and (made[[0, 1, 2, 12], 10] == 0).all() and torch.isfinite(made).all()
    torch.testing.assert_close(made[3:12], table[3:])
