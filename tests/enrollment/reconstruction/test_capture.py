from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from enrollment.instant.pipeline import Enrollment
from enrollment.reconstruction.capture import OPENGL, Capture, Frame
from enrollment.reconstruction.capture_folder import read_folder
from enrollment.reconstruction.frame_fit import fit_frame
from models.errors import CaptureError
from models.heads.base import HeadModel
from models.tracking.landmarks import Landmarks
from models.types import Camera
from tests.enrollment import scenes
from tests.enrollment.heads import known, landmarks_of


@pytest.fixture(scope="module")
def frame(model: HeadModel) -> Frame:
    return scenes.frame(scenes.colourful(model), model, scenes.camera(), jawOpen=0.3)


def test_the_portraits_of_an_enrollment_lie_on_its_head(enrolled: Enrollment, model: HeadModel) -> None:
    person = enrolled.avatar.person(model)
    capture = Capture.of_portraits(enrolled, person)
    assert len(capture.frames) == len(enrolled.portraits)
    assert capture.frames[0].covered(person) > 0.9
    assert capture.nbytes >= enrolled.portraits[0].image.nbytes


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image": np.zeros((9, 9, 3), np.uint8)}, "9x9 pixels where its camera says 72x72"),
        ({"matte": np.zeros((72, 72), np.float32)}, "shows nobody"),
        ({"matte": np.full((72, 72), np.nan, np.float32)}, "not finite"),
        ({"matte": np.ones((5, 5), np.float32)}, "another size"),
        ({"coefficients": np.zeros(51, np.float32)}, "51 expression coefficients"),
        ({"camera": Camera(72, 72, -3, 9, 36, 36)}, "no pinhole camera"),
        ({"camera": Camera(72, 72, 9, 9, 36, 36, 2 * np.eye(4))}, "no pinhole camera"),
        ({"weight": 0.0}, "no weight"),
    ],
)
def test_a_frame_that_cannot_be_used_is_refused(frame: Frame, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(CaptureError, match=reason):
        Capture.of_frames([replace(frame, **change)])


def test_one_good_frame_is_enough(frame: Frame) -> None:
    capture = Capture.of_frames(iter([replace(frame, weight=-1.0, name="the bad one"), frame]))
    assert capture.frames == (frame,)
    assert capture.warnings == ("the bad one was left out because it has no weight",)


def test_no_frame_at_all_is_an_error() -> None:
    with pytest.raises(CaptureError, match="at least one usable frame was expected, none came"):
        Capture.of_frames([])


@pytest.mark.parametrize("wrong", [Camera.look_at((0, 0, 1), (0.5, 0, 0), width=72, height=72, fov_y=0.35),
                                   Camera.look_at((0, 0, 1), (0, 0, 2), width=72, height=72, fov_y=0.35)])  # fmt: skip
def test_a_camera_that_does_not_see_the_head_is_noticed(frame: Frame, model: HeadModel, wrong: Camera) -> None:
    person = model.person(np.zeros(model.identity_count))
    assert Capture.of_frames([frame], person).frames
    with pytest.raises(CaptureError, match="where its camera and pose put it"):
        Capture.of_frames([replace(frame, camera=wrong)], person)


def test_cutting_and_shrinking_keep_the_camera_in_step(frame: Frame, model: HeadModel) -> None:
    point = np.array([[0.02, 0.03, 0.05]])
    before = frame.camera.project(point)[0]
    cut = frame.cropped(10, 5, 60, 70)
    np.testing.assert_allclose(cut.camera.project(point)[0], before - [10, 5])
    assert cut.problem() is None
    small = replace(frame, normals=np.zeros((72, 72, 3), np.float32), known=np.ones((72, 72), bool)).resized(36, 24)
    np.testing.assert_allclose(small.camera.project(point)[0], before * [0.5, 1 / 3])
    assert small.problem() is None
    person = model.person(np.zeros(model.identity_count))
    assert frame.around(person).covered(person) > 0.9


def test_pose_and_expression_are_found_in_two_cameras(model: HeadModel) -> None:
    truth = known(model, 3, turn=(5, -20, 4), jawOpen=0.5, mouthSmileLeft=0.6)
    points = landmarks_of(model, truth)
    views = []
    for shift in (0.0, 0.25):
        to_camera = OPENGL.copy()
        to_camera[0, 3] = -shift
        view = Camera(640, 640, 900, 900, 320, 320, to_camera)
        marks = np.concatenate([view.project(points), np.zeros((len(points), 1))], axis=1).astype(np.float32)
        views.append((Landmarks(marks, 1.0, 640, 640), view))
    found = fit_frame(model.person(truth.identity), views)
    assert found is not None
    assert found.rms < 0.6
    np.testing.assert_allclose(found.head[:3, 3], truth.translation, atol=2e-3)
    np.testing.assert_allclose(found.head[:3, :3], truth.rotation, atol=0.02)


def _write(folder: Path, frame: Frame, **entry: Any) -> None:
    (folder / "images").mkdir(exist_ok=True)
    Image.fromarray(frame.image).save(folder / "images/a.png")
    Image.fromarray((frame.matte * 255).astype(np.uint8)).save(folder / "mask.png")
    c = frame.camera
    plain = {
        "file_path": "images/a.png", "fg_mask_path": "mask.png", "fl_x": c.fx, "fl_y": c.fy, "cx": c.cx, "cy": c.cy,
        "transform_matrix": np.linalg.inv(OPENGL @ c.world_to_camera).tolist(), "head_to_world": frame.pose.head.tolist(),
        "coefficients": {"jawOpen": 0.3},
    }  # fmt: skip
    (folder / "transforms.json").write_text(json.dumps({"w": 72, "h": 72, "frames": [plain | entry]}))


def test_a_folder_comes_back_as_the_frames_it_was_made_of(tmp_path: Path, frame: Frame, model: HeadModel) -> None:
    _write(tmp_path, frame)
    read = read_folder(tmp_path, model.person(np.zeros(model.identity_count))).frames[0]
    np.testing.assert_array_equal(read.image, frame.image)
    np.testing.assert_allclose(read.matte, frame.matte, atol=0.01)
    np.testing.assert_allclose(read.camera.world_to_camera, frame.camera.world_to_camera, atol=1e-9)
    np.testing.assert_allclose(read.coefficients, frame.coefficients)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"file_path": "../secret.png"}, "outside the folder"),
        ({"file_path": 3}, "has no 'file_path'"),
        ({"file_path": "images/none.png"}, "none came"),
        ({"transform_matrix": [[1]]}, "no 4x4 'transform_matrix'"),
        ({"transform_matrix": np.zeros((4, 4)).tolist()}, "without an inverse"),
        ({"fl_x": "far"}, "no number for 'fl_x'"),
        ({"w": 70}, "70x72"),
        ({"coefficients": {"smile": 1}}, "should map ARKit names"),
        ({"fg_mask_path": "none.png"}, "cannot be read"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, frame: Frame, model: HeadModel, entry: dict[str, Any], reason: str
) -> None:
    _write(tmp_path, frame, **entry)
    with pytest.raises(CaptureError, match=reason) as caught:
        read_folder(tmp_path, model.person(np.zeros(model.identity_count)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"frames": []}', '{"frames": [3]}', None])
def test_a_folder_without_a_readable_list_is_refused(tmp_path: Path, model: HeadModel, text: str | None) -> None:
    if text is not None:
        (tmp_path / "transforms.json").write_text(text)
    with pytest.raises(CaptureError, match=r"transforms\.json"):
        read_folder(tmp_path, model.person(np.zeros(model.identity_count)))
