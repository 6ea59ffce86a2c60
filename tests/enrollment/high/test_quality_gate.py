"""The quality gate: frames without their face, with a face too many, out of place or in strange colours are not learned from."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from enrollment.high.quality_gate import LESS, FrameQuality, QualityReport, angle, apply_quality_gate
from enrollment.high.synthesize import SynthesisOptions, TargetView, synthesize
from enrollment.instant.pipeline import Enrollment
from enrollment.reconstruction.capture import Frame
from models import arkit
from models.diffusion.prior import Prior
from models.heads.base import HeadModel, PersonHead
from tests.models.diffusion import tiny

REST = np.zeros(arkit.COUNT, np.float32)


@pytest.fixture(scope="module")
def person(enrolled: Enrollment, model: HeadModel) -> PersonHead:
    return enrolled.avatar.person(model)


@pytest.fixture(scope="module")
def frames(enrolled: Enrollment, model: HeadModel) -> tuple[Frame, ...]:
    """Back, front and side, as the instant avatar has them."""
    views = (TargetView(180.0, REST, "back"), TargetView(10.0, REST, "front"), TargetView(80.0, REST, "side"))
    return synthesize(enrolled, model, Prior(tiny.config()), views, SynthesisOptions(steps=1, side=256))


def qualities(frames: tuple[Frame, ...], person: PersonHead, enrolled: Enrollment) -> tuple[FrameQuality, ...]:
    return apply_quality_gate(frames, person, enrolled.portraits[0])[1].frames


def test_good_frames_stay(frames: tuple[Frame, ...], person: PersonHead, enrolled: Enrollment) -> None:
    kept, report = apply_quality_gate(frames, person, enrolled.portraits[0])
    assert len(kept) == 3 and report.counts["dropped"] == 0
    assert kept[1].weight == frames[1].weight


def test_a_face_painted_out_is_dropped(frames: tuple[Frame, ...], person: PersonHead, enrolled: Enrollment) -> None:
    front = frames[1]
    image, xy = front.image.copy(), front.camera.project(person.landmarks(person.vertices(REST, front.pose)))[:468]
    hull = cv2.convexHull(np.round(xy).astype(np.int32))
    tone = np.median(image[front.matte > 0.9], axis=0)
    cv2.fillConvexPoly(image, hull, tone.tolist())
    kept, report = apply_quality_gate((frames[0], replace(front, image=image), frames[2]), person, enrolled.portraits[0])
    assert [f.name for f in kept] == ["back", "side"]
    assert "no face" in report.frames[1].reason
    assert report.counts == {"frames": 3, "good": 2, "less_weight": 0, "dropped": 1}
    assert "1 were left out" in report.sentence() and "no face" in report.sentence()


def test_a_face_in_another_place_is_dropped(frames: tuple[Frame, ...], person: PersonHead, enrolled: Enrollment) -> None:
    front = frames[1]
    moved = replace(front, image=np.roll(front.image, 25, axis=1), matte=np.roll(front.matte, 25, axis=1))
    assert qualities((moved,), person, enrolled)[0].weight == 0
    little = replace(front, image=np.roll(front.image, 6, axis=1), matte=np.roll(front.matte, 6, axis=1))
    assert qualities((little,), person, enrolled)[0].weight == LESS


def test_a_face_on_the_back_is_dropped(frames: tuple[Frame, ...], person: PersonHead, enrolled: Enrollment) -> None:
    back, front = frames[0], frames[1]
    two_faced = replace(back, image=front.image, matte=front.matte)
    quality = qualities((two_faced,), person, enrolled)[0]
    assert quality.weight == 0 and "back of the head" in quality.reason


def test_strange_colours_are_dropped(frames: tuple[Frame, ...], person: PersonHead, enrolled: Enrollment) -> None:
    side = frames[2]
    green = replace(
        side, image=np.minimum(side.image, np.array([90, 255, 90])).astype(np.uint8) | np.array([0, 160, 0], np.uint8)
    )
    quality = qualities((green,), person, enrolled)[0]
    assert quality.weight == 0 and "colours" in quality.reason
    part = side.image.copy()
    part[: int(0.4 * len(part))] = (0, 255, 0)
    assert qualities((replace(side, image=part),), person, enrolled)[0].weight < 1


def test_a_broken_frame_is_dropped(frames: tuple[Frame, ...], person: PersonHead, enrolled: Enrollment) -> None:
    empty = replace(frames[2], matte=np.zeros_like(frames[2].matte))
    assert qualities((empty,), person, enrolled)[0].weight == 0


def test_angles_and_counts(frames: tuple[Frame, ...]) -> None:
    assert angle(frames[0]) > 170 and angle(frames[1]) < 15 and 70 < angle(frames[2]) < 90
    report = QualityReport((FrameQuality("a", 1.0, ""), FrameQuality("b", LESS, "is off"), FrameQuality("c", 0.0, "is bad")))
    assert report.counts == {"frames": 3, "good": 1, "less_weight": 1, "dropped": 1}
