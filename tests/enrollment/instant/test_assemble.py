"""The instant avatar looked at: like the photo from the front, a closed head from behind, and a face that moves."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy import ndimage

from enrollment.instant import assemble
from enrollment.instant.assemble import STRETCH, _pixel_confidence, build_gaussians
from enrollment.instant.fit import PhotoFit
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface import steadiness, stretch_ratios
from enrollment.likeness import outline_error
from models import arkit
from models.avatar import AvatarPoser
from models.heads.base import REGION, HeadModel, Pose
from models.heads.raster import rasterize
from models.posture import body_under
from models.splat.cpu import CpuRasterizer
from models.tracking.landmarks import detect_faces
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array, Camera, Picture
from tests.enrollment.heads import known, portrait_of

SIDE = 512
EYES = {"left": (386, 374, 263, 362), "right": (159, 145, 33, 133)}
"""Landmarks of the person's eyes: upper and lower lid, outer and inner corner."""
LIPS, CORNERS, FACE = (13, 14), (61, 291), (10, 152)
RINGS = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382),
)
"""Landmarks around the two eye openings."""


class Studio:
    """One avatar before the CPU rasterizer."""

    def __init__(self, enrolled: Enrollment, model: HeadModel) -> None:
        self.poser = AvatarPoser(enrolled.avatar, model)
        self.rasterizer = CpuRasterizer()

    def around(self, yaw: float = 0.0, **expression: float) -> Picture:
        gaussians = self.poser.pose(np.array(arkit.vector(**expression)))
        return self.rasterizer.render(gaussians, self.camera(yaw))

    @staticmethod
    def camera(yaw: float) -> Camera:
        return Camera.orbit(np.deg2rad(yaw), 0.0, 1.1, width=SIDE, height=SIDE, fov_y=np.deg2rad(22))

    def as_in(self, photo: PhotoFit, camera: Camera) -> Picture:
        head = photo.head_pose()
        pose = Pose(head, body_under(head, self.poser.person.joints), photo.gaze)
        return self.rasterizer.render(self.poser.pose(photo.coefficients, pose), camera)


@pytest.fixture(scope="module")
def studio(enrolled: Enrollment, model: HeadModel) -> Studio:
    return Studio(enrolled, model)


@pytest.fixture(scope="module")
def neutral(studio: Studio) -> Array:
    return landmarks(studio.around())


def landmarks(picture: Picture) -> Array:
    """(478, 2) pixels of the one face in a picture."""
    faces = detect_faces(np.asarray(picture.color * 255, np.uint8))
    assert len(faces) == 1, "one face must be seen in the rendered picture"
    return faces[0].points[:, :2]


def gap(points: Array, pair: tuple[int, int], unit: tuple[int, int] = FACE) -> float:
    """Distance of two landmarks over that of two others."""
    return float(np.linalg.norm(points[pair[0]] - points[pair[1]]) / np.linalg.norm(points[unit[0]] - points[unit[1]]))


def opening(points: Array, side: str) -> float:
    upper, lower, outer, inner = EYES[side]
    return gap(points, (upper, lower), (outer, inner))


def corners_up(points: Array) -> float:
    """How high the corners of the mouth are above its middle, face heights."""
    up = points[list(LIPS), 1].mean() - points[list(CORNERS), 1].mean()
    return float(up / np.linalg.norm(points[FACE[0]] - points[FACE[1]]))


def psnr(a: Array, b: Array, weight: Array) -> float:
    return float(-10 * np.log10(np.sum(weight[..., None] * (a - b) ** 2) / (3 * weight.sum())))


def test_there_are_enough_gaussians_but_not_too_many(enrolled: Enrollment) -> None:
    assert 20_000 <= len(enrolled.avatar.gaussians) <= 60_000


def test_gaussians_are_valid(enrolled: Enrollment, model: HeadModel) -> None:
    g = enrolled.avatar.gaussians
    for values in (g.means, g.rotations, g.scales, g.opacities, g.colors):
        assert values.dtype == np.float32 and np.isfinite(values).all() and len(values) == len(g)
    assert g.face.min() >= 0 and g.face.max() < len(model.faces)
    assert np.allclose(np.linalg.norm(g.rotations, axis=1), 1, atol=1e-3)
    assert g.scales.min() > 0
    for values in (g.opacities, g.colors):
        assert values.min() >= 0 and values.max() <= 1


def test_no_gaussian_is_a_needle_or_a_cloud(studio: Studio) -> None:
    scales = studio.poser.pose(np.zeros(arkit.COUNT)).scales
    assert scales.max() < 0.05, "metres"


def test_from_the_photos_camera_it_is_the_photo(studio: Studio, enrolled: Enrollment) -> None:
    photo, portrait = enrolled.fit.photos[0], enrolled.portraits[0]
    picture = studio.as_in(photo, photo.camera(portrait))
    matte = portrait.matte[..., None]
    truth = portrait.image / 255 * matte + 1 - matte
    face = np.zeros(portrait.matte.shape, np.float32)
    cv2.fillConvexPoly(face, cv2.convexHull(portrait.landmarks.points[:468, :2].astype(np.int32)), 1)
    assert psnr(picture.color, truth, portrait.matte) > 20
    assert psnr(picture.color, truth, face) > 22
    drawn, person = picture.alpha > 0.5, portrait.matte > 0.5
    assert (drawn & person).sum() / (drawn | person).sum() > 0.95
    assert outline_error(portrait, picture.alpha) < 0.25, "hair that the photo does not show stays behind the hair that it shows"


def test_from_behind_there_is_no_face_and_no_hole(studio: Studio, model: HeadModel) -> None:
    back = studio.around(180)
    assert not detect_faces(np.asarray(back.color * 255, np.uint8))
    vertices = studio.poser.person.vertices(np.zeros(arkit.COUNT))
    fragments = rasterize(vertices, model.faces, studio.camera(180), cull=False)
    head = (fragments.face >= 0) & model.region_faces("skin")[np.maximum(fragments.face, 0)]
    assert (back.alpha[ndimage.binary_erosion(head, iterations=3)] < 0.95).mean() < 0.01, "but for what the photo denies"


@pytest.mark.parametrize("yaw", [0, 45, 90, 135, 180, 225, 270, 315])
def test_no_direction_shows_a_hole(studio: Studio, yaw: int) -> None:
    solid = studio.around(yaw).alpha > 0.5
    assert (ndimage.binary_fill_holes(solid) & ~solid).sum() < 20


def test_a_blink_closes_the_eyes(studio: Studio, neutral: Array) -> None:
    closed = studio.around(eyeBlinkLeft=1, eyeBlinkRight=1)
    points = landmarks(closed)
    for side in EYES:
        assert opening(points, side) < 0.4 * opening(neutral, side)
    area = np.zeros((SIDE, SIDE), np.uint8)
    for ring in RINGS:
        cv2.fillPoly(area, [np.round(neutral[list(ring)]).astype(np.int32)], 1)
    before, after = (np.quantile(p.color[area > 0].mean(axis=1), 0.1) for p in (studio.around(), closed))
    assert after > before + 0.15, "no pupil and no iris is left to be seen"


def test_pixels_fade_where_skin_unfolds(studio: Studio, enrolled: Enrollment, model: HeadModel) -> None:
    """An unfolding lid would enlarge them into a mottled patch; what lies under them is even."""
    made, ratios = enrolled.avatar.gaussians, stretch_ratios(studio.poser.person, enrolled.fit.photos[0].coefficients)
    unfolding = (model.region == REGION["skin"]) & (steadiness(model, ratios, STRETCH) < 0.4)
    opacity = made.opacities[unfolding[made.face]]
    assert ((opacity < 0.5) | (np.abs(opacity - 0.95) < 1e-3)).mean() > 0.9 and (opacity < 0.5).sum() > 20


def test_a_wink_closes_one_eye(studio: Studio, neutral: Array) -> None:
    for side, other in (("left", "right"), ("right", "left")):
        points = landmarks(studio.around(**{f"eyeBlink{side.capitalize()}": 1.0}))
        assert opening(points, side) < 0.5 * opening(neutral, side)
        assert opening(points, other) > 0.75 * opening(neutral, other)


def test_the_jaw_opens_the_mouth(studio: Studio, neutral: Array) -> None:
    opened = landmarks(studio.around(jawOpen=0.8))
    assert gap(opened, LIPS) > gap(neutral, LIPS) + 0.08


def test_the_photos_smile_is_not_in_the_neutral_face(studio: Studio, enrolled: Enrollment, neutral: Array) -> None:
    found = {name: float(c) for name, c in zip(arkit.NAMES, enrolled.fit.photos[0].coefficients, strict=True)}
    as_photo = landmarks(studio.around(**found))
    assert corners_up(neutral) < corners_up(as_photo) - 0.01
    assert gap(neutral, CORNERS) < gap(as_photo, CORNERS)
    assert corners_up(landmarks(studio.around(mouthSmileLeft=1, mouthSmileRight=1))) > corners_up(neutral) + 0.02


@pytest.mark.usefixtures("hardly_fitted")
def test_there_are_never_more_gaussians_than_a_call_can_draw(
    enrolled: Enrollment, model: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    avatar = enrolled.avatar
    monkeypatch.setattr(assemble, "MOST_GAUSSIANS", 36_000)
    fewer = build_gaussians(avatar.person(model), enrolled.fit, list(enrolled.portraits), avatar.offset)
    assert len(avatar.gaussians) > 40_000 > 38_500 > len(fewer) > 30_000


def test_cloth_colours_only_what_is_clad(model: HeadModel) -> None:
    """A collar beside a jaw would be a smudge on the jaw."""
    portrait = portrait_of(model, known(model))
    shares = np.zeros((*portrait.matte.shape, len(CLASSES)), np.float32)
    shares[..., CLASSES.index("clothes")] = 1.0
    at, clad = np.array([5, 5, 5]), np.array([0.0, 0.5, 1.0], np.float32)
    confidence = _pixel_confidence(replace(portrait, parsing=Parsing(shares)), 0 * clad, clad, np.ones(3, np.float32), at, at)
    np.testing.assert_allclose(confidence, (0, 0.25, 1), atol=1e-3)
