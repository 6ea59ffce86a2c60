"""Hair: outline and colour of a style, and how hair and beard move with the head and jaw."""

from __future__ import annotations

import numpy as np
import pytest

from models import arkit
from models.heads.base import HeadModel, Pose, rotation_vector, skinning_transforms
from models.synthetic import hair_styles
from models.synthetic.cameras import orbit_camera
from models.synthetic.head import SyntheticHead
from models.synthetic.strands import pose_strands, weights_of
from tests.models.synthetic.looks import NEUTRAL, PLAIN, drawn, somebody


def test_hair_styles_have_outlines_of_their_own() -> None:
    area = {
        style: drawn(somebody(3, **PLAIN | {"hair_style": style}), 90, 64).matte.sum()
        for style in ("afro", "buzz", "bald", "long", "crop")
    }
    assert area["afro"] > 1.2 * area["buzz"] > 1.2 * 0.95 * area["bald"]
    assert area["long"] > 1.03 * area["crop"]


def test_hair_colour_is_what_was_asked_for() -> None:
    light, dark = (somebody(3, **PLAIN | {"hair_style": "bowl", "hair_color": c, "grey": 0.0})
                   for c in ((0.5, 0.35, 0.2), (0.01, 0.01, 0.01)))  # fmt: skip
    back = [drawn(h, 180) for h in (light, dark)]
    rows = slice(30, 50), slice(50, 78)
    assert back[0].color[rows].mean() > back[1].color[rows].mean() + 0.15


def test_hair_turns_with_the_head_and_a_beard_follows_the_jaw() -> None:
    head = somebody(4, **PLAIN | {"hair_style": "afro", "beard": "full"})
    turned = np.eye(4)
    turned[:3, :3] = rotation_vector(np.array([0, 0.5, 0]))
    with_camera = head.render(orbit_camera(np.degrees(0.5), size=96), NEUTRAL, Pose(head=turned, body=turned))
    front = drawn(head, 0, 96)
    assert np.abs(with_camera.matte - front.matte).mean() < 0.01
    person, s = head.person, head.strands
    lowest = []
    for c in (NEUTRAL, np.asarray(arkit.vector(jawOpen=1.0), np.float32)):
        transforms = skinning_transforms(person.joints, Pose())
        points, _ = pose_strands(s, weights_of(s.points, person.joints), person, person.vertices(c), transforms)
        chin = (s.face[s.strand_of] >= 0) & (s.points[:, 1] < -0.09) & (s.points[:, 2] > 0.06)
        lowest.append(points[chin, 1].mean())
    assert lowest[1] < lowest[0] - 0.01


def test_a_ponytail_hangs_behind_the_head(model: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    tied = PLAIN | {"hair_style": "ponytail"}
    with_tail = drawn(somebody(2, **tied), 90, 96)
    monkeypatch.setattr(hair_styles, "_tail", lambda *_: [])
    without = drawn(SyntheticHead.random(model, 2, **tied), 90, 96)
    assert ((with_tail.matte > 0.5) & (without.matte < 0.5)).sum() > 60
