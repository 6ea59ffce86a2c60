"""Synthesised frames: the instant avatar's where the prior says nothing, the photo's own pixels in any case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.high import synthesize as high_synthesize
from enrollment.high.conditions import Conditioner, ViewConditions, in_camera
from enrollment.high.synthesize import EXPRESSIONS, UNFOLD_RATIO, SynthesisOptions, TargetView, plan_views, sheet, synthesize
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface import triangle_areas
from enrollment.instant.texture_completion import eyelid_vertices
from enrollment.reconstruction.capture import Capture, Frame
from models import arkit
from models.diffusion.prior import Prior
from models.diffusion.sampler import Sampled, sample
from models.errors import Cancelled
from models.heads.base import REGION, HeadModel
from models.heads.raster import rasterize
from tests.models.diffusion import tiny

SIDE = 128
OPTIONS = SynthesisOptions(steps=2, side=SIDE)
REST = np.zeros(arkit.COUNT, np.float32)
VIEWS = (TargetView(180.0, REST, "back"), TargetView(0.0, REST, "front"), TargetView(50.0, REST, "side"))


@pytest.fixture(scope="module")
def untrained() -> Prior:
    return Prior(tiny.config())


@pytest.fixture(scope="module")
def trained() -> Prior:
    return tiny.trained()


@pytest.fixture(scope="module")
def plain(enrolled: Enrollment, model: HeadModel, untrained: Prior) -> tuple[Frame, ...]:
    return synthesize(enrolled, model, untrained, VIEWS, OPTIONS)


@pytest.fixture(scope="module")
def changed(enrolled: Enrollment, model: HeadModel, trained: Prior) -> tuple[Frame, ...]:
    return synthesize(enrolled, model, trained, VIEWS, OPTIONS)


@pytest.fixture(scope="module")
def coarse(enrolled: Enrollment, model: HeadModel, plain: tuple[Frame, ...]) -> list[ViewConditions]:
    conditioner = Conditioner(enrolled, model)
    return [conditioner.conditions_for(f.camera, f.coefficients, oversampled=1) for f in plain]


def on_white(frame: Frame) -> NDArray[np.floating]:
    matte = frame.matte[..., None]
    return frame.image / 255 * matte + 1 - matte


def test_an_untrained_prior_gives_the_coarse_views(plain: tuple[Frame, ...], coarse: list[ViewConditions]) -> None:
    for frame, known in zip(plain, coarse, strict=True):
        unseen = known.visibility == 0
        assert np.abs(on_white(frame) - known.color)[unseen].max() < 0.04
        np.testing.assert_allclose(frame.matte[unseen], known.alpha[unseen], atol=0.02)
        assert frame.normals is not None
        solid = unseen & (known.alpha > 0.95)
        ours = in_camera(frame.normals, np.ones_like(known.alpha), frame.camera)
        cosine = (ours * known.normals).sum(axis=2)[solid] / known.alpha[solid]
        assert np.median(cosine) > 0.999


def test_the_photos_pixels_win(plain: tuple[Frame, ...], changed: tuple[Frame, ...], coarse: list[ViewConditions]) -> None:
    """Wherever the photo shows the surface, whatever the prior says; elsewhere the prior is heard."""
    shown = 0
    for before, after, known in zip(plain, changed, coarse, strict=True):
        sure = known.visibility > 0.999
        shown += int(sure.sum())
        assert np.abs(after.image[sure] / 255 - known.warp[sure]).max(initial=0) < 0.01
        unseen = (known.visibility == 0) & (known.alpha > 0.9)
        assert np.abs(on_white(after) - on_white(before))[unseen].mean() > 0.01
    assert shown > 0.1 * SIDE**2


def test_eyelids_keep_the_avatars_skin(enrolled: Enrollment, model: HeadModel, trained: Prior) -> None:
    """Neither the prior's blur nor the photo's lashes, drawn out over the lid that the photo shows folded."""
    shut = TargetView(0.0, np.asarray(arkit.vector(**EXPRESSIONS["blink"]), np.float32), "blink")
    (frame,) = synthesize(enrolled, model, trained, (shut,), SynthesisOptions(steps=2, side=256))
    conditioner = Conditioner(enrolled, model)
    known = conditioner.conditions_for(frame.camera, shut.coefficients, oversampled=1)
    found = rasterize(
        conditioner.person.vertices(shut.coefficients, conditioner.pose(shut.coefficients)), model.faces, frame.camera
    )
    grown = triangle_areas(conditioner.person.expressed(shut.coefficients), model.faces)
    grown = grown > UNFOLD_RATIO * triangle_areas(conditioner.person.expressed(enrolled.fit.photos[0].coefficients), model.faces)
    faces = eyelid_vertices(model)[model.faces].any(axis=1) & (model.region == REGION["skin"]) & grown
    lids = ndimage.binary_erosion((found.face >= 0) & faces[np.maximum(found.face, 0)], iterations=2)
    assert lids.sum() > 60
    assert np.abs(on_white(frame) - known.color)[lids].max() < 0.06
    cheek = ndimage.binary_dilation(lids, iterations=14) & ~ndimage.binary_dilation(lids, iterations=6) & (known.visibility == 1)
    assert np.abs(on_white(frame) - known.warp)[cheek].max() < 0.06, "around them it is the photo's"
    assert np.abs(known.warp - known.color)[lids].max() > 0.065, "the photo would have said otherwise"


def test_clothes_keep_the_avatars_colours(
    changed: tuple[Frame, ...], coarse: list[ViewConditions], enrolled: Enrollment, model: HeadModel
) -> None:
    person = enrolled.avatar.person(model)
    for frame, known in ((changed[0], coarse[0]), (changed[2], coarse[2])):  # back and side
        found = rasterize(person.vertices(frame.coefficients, frame.pose), model.faces, frame.camera)
        body = (found.face >= 0) & (model.region[np.maximum(found.face, 0)] == REGION["body"])
        inner = ndimage.binary_erosion(body, iterations=4) & (known.alpha > 0.98) & (frame.matte > 0.98) & (known.visibility == 0)
        other = ~ndimage.binary_dilation(body, iterations=4) & (known.alpha > 0.98) & (known.visibility == 0)
        away = np.abs(on_white(frame) - known.color).max(axis=2)
        assert inner.sum() > 20 and away[inner].max() < 0.03
        assert away[other].mean() > 0.05, "elsewhere the prior is heard"


def test_nothing_is_learned_where_the_prior_cannot_tell_hair_from_air(
    plain: tuple[Frame, ...], changed: tuple[Frame, ...]
) -> None:
    assert all(f.known is not None and f.known.all() for f in plain), "what the avatar says is all known"
    for before, after in zip(plain, changed, strict=True):
        assert after.known is not None
        certain = (after.matte < 0.1) | (after.matte > 0.9) | (np.abs(after.matte - before.matte) < 0.05)
        assert after.known[certain].all()
    assert not all(f.known.all() for f in changed if f.known is not None)


def test_frames_can_be_learned_from(changed: tuple[Frame, ...], enrolled: Enrollment, model: HeadModel) -> None:
    person = enrolled.avatar.person(model)
    assert [f.problem() for f in changed] == [None] * 3
    assert len(Capture.of_frames(changed, person).frames) == 3, "the head lies on the mattes"
    for frame in changed:
        assert frame.normals is not None
        length = np.linalg.norm(frame.normals, axis=2)
        assert np.abs(length[length > 0] - 1).max() < 1e-4
        toward = frame.camera.position / np.linalg.norm(frame.camera.position)
        assert (frame.normals @ toward)[length > 0].mean() > 0.2, "surfaces look at their camera"


def test_the_same_again(changed: tuple[Frame, ...], enrolled: Enrollment, model: HeadModel, trained: Prior) -> None:
    again = synthesize(enrolled, model, trained, VIEWS, OPTIONS)
    other = synthesize(enrolled, model, trained, VIEWS[:1], SynthesisOptions(steps=2, side=SIDE, seed=5))
    assert all((a.image == b.image).all() for a, b in zip(changed, again, strict=True))
    assert (other[0].image != changed[0].image).any()


def test_the_first_view_is_an_anchor_of_the_others(enrolled: Enrollment, model: HeadModel, trained: Prior) -> None:
    """What was made for the back is pasted beside it (F4): a view that follows another first one comes out differently."""
    beside = TargetView(150.0, REST, "beside")
    after_back, after_front = (
        synthesize(enrolled, model, trained, (first, beside), OPTIONS)[1] for first in (VIEWS[0], VIEWS[1])
    )
    assert np.abs(after_back.image.astype(int) - after_front.image)[after_back.matte > 0.9].mean() > 0.4


def test_expressions_from_one_camera_are_a_clip(enrolled: Enrollment, model: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prior that was trained on clips (G6) sees them as one; cameras with another number of views, and other priors, do not."""
    lengths: list[int] = []

    def watched(*args: Any, frames: int, **options: Any) -> Sampled:
        lengths.append(frames)
        return sample(*args, frames=frames, **options)

    monkeypatch.setattr(high_synthesize, "sample", watched)
    views = (VIEWS[0], *(replace(VIEWS[1], yaw=yaw) for yaw in (0.0, 0.0, 20.0, 20.0)))
    quick = replace(OPTIONS, steps=1)
    synthesize(enrolled, model, Prior(tiny.config(mechanisms={"temporal": True})), views, quick)
    synthesize(enrolled, model, Prior(tiny.config(mechanisms={"temporal": True})), views[:4], quick)
    synthesize(enrolled, model, Prior(tiny.config()), views, quick)
    assert lengths == [1, 2, 1, 1, 1, 1]


def test_progress_and_stop(enrolled: Enrollment, model: HeadModel, untrained: Prior) -> None:
    told: list[float] = []

    def hear(stage: str, part: float) -> None:
        told.append(part)

    with pytest.raises(Cancelled):
        synthesize(
            enrolled, model, untrained, VIEWS, SynthesisOptions(steps=1, side=32), progress=hear, cancelled=lambda: bool(told)
        )
    assert told == [pytest.approx(1 / 3)]


def test_the_plan_has_the_back_first_and_every_expression_from_both_sides() -> None:
    plan = plan_views(12)
    assert plan[0].yaw == 180 and len(plan) == 5 + 24
    assert {round(v.yaw) for v in plan[1:5]} == {90, -90, 135, -135}
    for name in EXPRESSIONS:
        yaws = [v.yaw for v in plan[5:] if v.name.endswith(name)]
        assert min(yaws) < -5 and max(yaws) > 5, name
    assert len(plan_views(3, each=1)) == 8 and all(not v.coefficients.any() for v in plan_views(3, {}, 1))


def test_the_sheet_shows_frames_and_normals(changed: tuple[Frame, ...]) -> None:
    picture = sheet(changed, size=32, columns=2)
    assert picture.shape == (4 * 32, 2 * 32, 3) and picture.dtype == np.uint8
    assert picture[:32].std() > 20 and picture[32:64].std() > 20
